// Command script runs a text with an interpreter of the agent's machine, outside the sandbox, on agents whose owner
// started them to.
package main

import (
	"octopus/sdk/plugin"
	"octopus/wasmplugins/builtin/internal/program"
)

var actions = plugin.Actions{"run": plugin.Action(run)}

func main() { plugin.Main(actions) }

type params struct {
	Interpreter    string            `json:"interpreter"`
	Text           string            `json:"text"`
	Args           []string          `json:"args"`
	Env            map[string]string `json:"env"`
	Stdin          string            `json:"stdin"`
	TimeoutSeconds float64           `json:"timeout_seconds"`
	OKCodes        []int             `json:"ok_codes"`
}

type request struct {
	Interpreter    string            `json:"interpreter"`
	Text           string            `json:"text"`
	Args           []string          `json:"args,omitempty"`
	Env            map[string]string `json:"env,omitempty"`
	Stdin          string            `json:"stdin,omitempty"`
	TimeoutSeconds float64           `json:"timeout_seconds,omitempty"`
}

func run(ctx *plugin.Context, p params) plugin.Response {
	ctx.Log("running a script of %d bytes with %s", len(p.Text), p.Interpreter)
	return program.Run(ctx, "script.run", "the script", request{p.Interpreter, p.Text, p.Args, p.Env, p.Stdin, p.TimeoutSeconds}, p.OKCodes)
}
