package sdk

import "context"

// Script is a plugin in JavaScript as its author writes it: the server puts both files into its engine.
type Script struct {
	Script   string `json:"script" minLength:"1" maxLength:"1048576" doc:"plugin.js: an ES module whose exported functions are the actions."`
	Manifest string `json:"manifest" minLength:"1" maxLength:"1048576" doc:"plugin.yaml, as YAML or JSON."`
}

// NewScriptSubmission is the body of POST /submissions/script.
type NewScriptSubmission struct {
	Script
	Note string `json:"note,omitempty" maxLength:"4096" doc:"For the reviewer."`
}

// CheckScript is the body of POST /scripts/check.
type CheckScript struct {
	Script
	Test bool `json:"test,omitempty" doc:"Also run the test cases of the manifest, in the sandbox."`
}

// ScriptReport says what is wrong with a script plugin, and how its test cases went.
type ScriptReport struct {
	OK     bool          `json:"ok"`
	Faults []ScriptFault `json:"faults"`
	Checks []Check       `json:"checks"`
}

// ScriptFault is something that is wrong with a script plugin.
type ScriptFault struct {
	File    string `json:"file" doc:"plugin.js or plugin.yaml."`
	Line    int    `json:"line,omitempty" doc:"From 1; absent where none can be told."`
	Path    string `json:"path,omitempty" doc:"In the manifest, as in actions[0].name."`
	Message string `json:"message"`
}

// CheckScript says what is wrong with a script plugin, without submitting it.
func (c *Client) CheckScript(ctx context.Context, s CheckScript, options ...CallOption) (report ScriptReport, err error) {
	err = c.do(ctx, "POST", "/scripts/check", nil, s, &report, options...)
	return report, err
}

// SubmitScript has a script plugin packed, and asks for it to be reviewed and published.
func (c *Client) SubmitScript(ctx context.Context, s NewScriptSubmission, options ...CallOption) (sub Submission, err error) {
	err = c.do(ctx, "POST", "/submissions/script", nil, s, &sub, options...)
	return sub, err
}
