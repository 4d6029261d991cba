package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"octopus/sdk"
	"octopus/wasmplugins"
	"octopus/wasmplugins/manifest"
)

// reviewCommands are the verbs of a plugin's way into the catalogue, and through its life there.
func (a *app) reviewCommands() []*cobra.Command {
	return []*cobra.Command{
		a.pluginsSubmit(), a.pluginsSubmissions(), a.pluginsReview(), a.pluginsDecide("approve", "Publish a submission"),
		a.pluginsDecide("reject", "Send a submission back; say why"), a.pluginsWithdraw(),
		a.pluginsVersion("deprecate", "Use a version only where no other fits", "deprecate"),
		a.pluginsVersion("revoke-version", "Stop a version for good: no agent starts it any more", "revoke"),
		a.pluginsHistory(), a.pluginsKeys(), a.pluginsRescan(),
	}
}

func (a *app) pluginsSubmit() *cobra.Command {
	var note string
	cmd := a.online("submit FILE.wasm|FOLDER", "Ask for a packed module, or the folder of a script, to be reviewed and published", exactly("FILE.wasm|FOLDER"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			s, err := submit(ctx, c, args[0], note)
			if err != nil {
				return err
			}
			if err := a.print(s, func(t *tabwriter.Writer) { showSubmission(t, s) }); err != nil {
				return err
			}
			if s.Status == "failed" {
				fmt.Fprintln(a.Err, "A check failed. Mend it and submit again; the version may stay.")
				return exitError{code: ExitFailed}
			}
			fmt.Fprintf(a.Err, "In review. An administrator publishes it with octopus plugins approve %s\n", s.ID)
			return nil
		})
	cmd.Flags().StringVar(&note, "note", "", "what the reviewer should know")
	return cmd
}

// submit sends a module, or both files of a script plugin: its manifest need not be packed.
func submit(ctx context.Context, c *sdk.Client, path, note string) (sdk.Submission, error) {
	if script := scriptIn(path); script != "" {
		source, err := readAtMost(script, wasmplugins.MaxScript)
		if err != nil {
			return sdk.Submission{}, err
		}
		about, err := readAtMost(filepath.Join(filepath.Dir(script), "plugin.yaml"), manifest.MaxSource)
		if err != nil {
			return sdk.Submission{}, err
		}
		return c.SubmitScript(ctx, sdk.NewScriptSubmission{Script: sdk.Script{Script: string(source), Manifest: string(about)}, Note: note})
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return sdk.Submission{}, usagef("%s holds no plugin.js: build it with octopus plugins build %s, and submit the .wasm.", path, path)
	}
	m, err := readModule(path)
	if err != nil {
		return sdk.Submission{}, err
	}
	if m.manifest == nil {
		return sdk.Submission{}, usagef("%s holds no manifest: pack it first with octopus plugins pack.", path)
	}
	return c.SubmitPlugin(ctx, m.bytes, note)
}

func (a *app) pluginsSubmissions() *cobra.Command {
	var f sdk.SubmissionFilter
	cmd := a.online("submissions", "List submissions: your own, for administrators everybody's", exactly(),
		func(ctx context.Context, c *sdk.Client, _ []string) error {
			page, err := c.Submissions(ctx, f)
			if err != nil {
				return err
			}
			return printPage(a, page, submissionTable)
		})
	fs := cmd.Flags()
	fs.StringVar(&f.Status, "status", "", "only in_review, failed, rejected, published or withdrawn")
	fs.StringVar(&f.Plugin, "plugin", "", "only of one plugin")
	fs.BoolVar(&f.Mine, "mine", false, "only your own")
	fs.IntVar(&f.Limit, "limit", 0, "items on a page (default 50)")
	fs.StringVar(&f.Cursor, "cursor", "", "next page, as the page before named it")
	checkLimit(cmd, &f.Limit)
	return cmd
}

func submissionTable(t io.Writer, list []sdk.Submission) {
	row(t, "SUBMISSION", "PLUGIN", "VERSION", "STATUS", "BY", "AT", "DECIDED BY")
	for _, s := range list {
		row(t, s.ID, s.Plugin, s.Version, s.Status, s.CreatedBy, s.CreatedAt.Local().Format(time.DateTime), dash(s.DecidedBy))
	}
}

func (a *app) pluginsReview() *cobra.Command {
	return a.online("review SUBMISSION", "Show a submission: its checks, and what it asks for beside the version before", exactly("SUBMISSION"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			s, err := c.Submission(ctx, args[0])
			if err != nil {
				return err
			}
			return a.print(s, func(t *tabwriter.Writer) { showSubmission(t, s) })
		})
}

func showSubmission(t io.Writer, s sdk.Submission) {
	row(t, "Submission", s.ID)
	row(t, "Plugin", s.Plugin+" "+s.Version)
	row(t, "Status", s.Status)
	row(t, "Digest", s.Digest)
	row(t, "By", s.CreatedBy+", "+s.CreatedAt.Local().Format(time.DateTime))
	if s.Note != "" {
		row(t, "Note", oneLine(s.Note, 200))
	}
	for _, c := range s.Checks {
		row(t, "Check", c.Status+"  "+c.Name+"  "+oneLine(c.Message, 200))
	}
	row(t, "Before", dash(s.Before))
	for _, ask := range s.Asks {
		word := "asked for before, not granted"
		switch {
		case ask.Granted:
			word = "granted to " + s.Before
		case ask.New:
			word = "new"
		}
		row(t, "Asks for", ask.Phrase+"  ("+word+")")
	}
	if s.DecidedBy != "" {
		row(t, "Decided", s.DecidedBy+", "+s.DecidedAt.Local().Format(time.DateTime)+"  "+oneLine(s.Comment, 200))
	}
}

// pluginsDecide is approve or reject.
func (a *app) pluginsDecide(verb, short string) *cobra.Command {
	var d sdk.Decision
	cmd := a.online(verb+" SUBMISSION", short, exactly("SUBMISSION"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			decide := c.ApproveSubmission
			if verb == "reject" {
				decide = c.RejectSubmission
			}
			s, err := decide(ctx, args[0], d)
			if err != nil {
				return err
			}
			if s.Status == "published" && !d.Grant && len(s.Asks) > 0 {
				fmt.Fprintf(a.Err, "It may do nothing beyond computing until it is granted: octopus plugins grant %s --version %s\n", s.Plugin, s.Version)
			}
			return a.print(s, func(t *tabwriter.Writer) { submissionTable(t, []sdk.Submission{s}) })
		})
	cmd.Flags().StringVar(&d.Comment, "comment", "", "for its author")
	if verb == "approve" {
		cmd.Flags().BoolVar(&d.Grant, "grant", false, "also grant all that it asks for")
		ringFlag(cmd, &d.Ring)
	}
	return cmd
}

func (a *app) pluginsWithdraw() *cobra.Command {
	return a.online("withdraw SUBMISSION", "Take back your own submission", exactly("SUBMISSION"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			s, err := c.WithdrawSubmission(ctx, args[0])
			if err != nil {
				return err
			}
			return a.print(s, func(t *tabwriter.Writer) { submissionTable(t, []sdk.Submission{s}) })
		})
}

// pluginsVersion moves one version through its life.
func (a *app) pluginsVersion(use, short, verb string) *cobra.Command {
	return a.online(use+" PLUGIN VERSION", short, exactly("PLUGIN", "VERSION"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			if err := c.ChangeVersion(ctx, args[0], args[1], verb); err != nil {
				return err
			}
			fmt.Fprintf(a.Err, "%s %s: %sd\n", args[0], args[1], verb)
			return nil
		})
}

func (a *app) pluginsRescan() *cobra.Command {
	return a.online("rescan", "Have the server look at its plugin folder (plugins.dir) now", exactly(),
		func(ctx context.Context, c *sdk.Client, _ []string) error {
			f, err := c.RescanPluginFolder(ctx)
			if err != nil {
				return err
			}
			if f.Problem != "" {
				fmt.Fprintln(a.Err, f.Problem)
			}
			return a.print(f, func(t *tabwriter.Writer) {
				row(t, "FILE", "STATUS", "PROBLEM")
				for _, x := range f.Files {
					row(t, x.Name, x.Status, dash(oneLine(x.Problem, 200)))
				}
			})
		})
}

func (a *app) pluginsHistory() *cobra.Command {
	return a.online("history PLUGIN", "Show who did what to a plugin, and when", exactly("PLUGIN"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			page, err := c.PluginEvents(ctx, args[0])
			if err == nil && len(page.Items) == 0 {
				_, err = c.Plugin(ctx, args[0]) // a name that was never published may have a history: of what was rejected
			}
			if err != nil {
				return err
			}
			return printPage(a, page, func(t io.Writer, events []sdk.PluginEvent) {
				row(t, "AT", "WHAT", "VERSION", "BY", "")
				for _, e := range events {
					row(t, e.At.Local().Format(time.DateTime), e.Kind, dash(e.Version), e.Actor, oneLine(e.Message, 100))
				}
			})
		})
}
