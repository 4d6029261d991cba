package api_test

import (
	"os"
	"strings"
	"testing"

	"octopus/internal/octopus"
	"octopus/sdk"
	"octopus/wasmplugins"
)

// packed is a module with a manifest that asks for the time zone and has one test case.
func packed(t testing.TB, version string) []byte {
	t.Helper()
	noop, err := os.ReadFile("../../wasmplugins/builtin/noop/noop.wasm")
	if err != nil {
		t.Fatal(err)
	}
	module, err := wasmplugins.Pack(noop, []byte(`{"schema":"octopus.plugin/v1","abi":1,"name":"zone","version":"`+version+`","actions":[{"name":"run"}],
		"capabilities":{"env":["TZ"]},"tests":[{"name":"answers","action":"run","expect":{"status_code":200}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	return module
}

// TestScripts: what is wrong has a line, what is right goes the way of every submission.
func TestScripts(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short leaves out what starts processes")
	}
	w, ctx := newWorld(t), t.Context()
	author := w.user("otto", octopus.RoleOperator)
	script := sdk.Script{Script: "export const sum = ({params: {a, b}}) => ({status_code: 200, message: `${a + b}`});\n",
		Manifest: "schema: octopus.plugin/v1\nabi: 1\nname: sum\nversion: 1.0.0\nactions: [{name: sum}]\ntests:\n  - {name: adds, action: sum, params: {a: 1, b: 2}, expect: {message: \"3\"}}\n"}
	report, err := author.CheckScript(ctx, sdk.CheckScript{Script: script, Test: true})
	if err != nil || !report.OK || len(report.Checks) != 1 || report.Checks[0].Name != "case adds" {
		t.Fatalf("%v %+v", err, report)
	}
	wrong := script
	wrong.Script = "// fine\nexport const sum = ;\n"
	if report, err := author.CheckScript(ctx, sdk.CheckScript{Script: wrong}); err != nil || report.OK || len(report.Faults) != 1 || report.Faults[0].File != "plugin.js" || report.Faults[0].Line != 2 {
		t.Errorf("%v %+v", err, report)
	}
	wrong.Manifest = strings.Replace(script.Manifest, "abi: 1", "abi: 2", 1)
	if _, err := author.SubmitScript(ctx, sdk.NewScriptSubmission{Script: wrong}); err == nil || !strings.Contains(err.Error(), "plugin.yaml:2") {
		t.Errorf("submitted: %v", err)
	}
	if _, err := w.user("vera", octopus.RoleViewer).CheckScript(ctx, sdk.CheckScript{Script: script}); err == nil || !strings.Contains(err.Error(), "role operator") {
		t.Errorf("a viewer: %v", err)
	}
	sub, err := author.SubmitScript(ctx, sdk.NewScriptSubmission{Script: script, Note: "Adds"})
	if err != nil || sub.Status != "in_review" || sub.Note != "Adds" || sub.Plugin != "sum" {
		t.Fatalf("%v %+v", err, sub)
	}
	if again, err := author.SubmitScript(ctx, sdk.NewScriptSubmission{Script: script}); err != nil || again.ID != sub.ID {
		t.Errorf("the same again: %v %+v", err, again)
	}
}

func TestSubmissions(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	author, stranger := w.user("otto", octopus.RoleOperator), w.user("olga", octopus.RoleOperator)
	sub, err := author.SubmitPlugin(ctx, packed(t, "1.0.0"), "For the clocks")
	if err != nil || sub.Status != "in_review" || sub.Note != "For the clocks" || len(sub.Checks) != 4 || len(sub.Asks) != 1 || !sub.Asks[0].New {
		t.Fatalf("%v %+v", err, sub)
	}
	if again, err := author.SubmitPlugin(ctx, packed(t, "1.0.0"), ""); err != nil || again.ID != sub.ID {
		t.Errorf("the same bytes again: %v %+v", err, again)
	}
	// A stranger sees nothing of it, and nobody but an administrator decides.
	if _, err := stranger.Submission(ctx, sub.ID); !sdk.IsNotFound(err) {
		t.Errorf("a stranger: %v", err)
	}
	if page, err := stranger.Submissions(ctx, sdk.SubmissionFilter{}); err != nil || len(page.Items) != 0 {
		t.Errorf("a stranger: %v %+v", err, page)
	}
	if _, err := author.ApproveSubmission(ctx, sub.ID, sdk.Decision{}); err == nil || !strings.Contains(err.Error(), "role admin") {
		t.Errorf("the author approves: %v", err)
	}
	if _, err := author.UploadPlugin(ctx, packed(t, "1.0.0")); err == nil {
		t.Error("an operator published at once")
	}
	page, err := w.client.Submissions(ctx, sdk.SubmissionFilter{Status: "in_review"})
	if err != nil || len(page.Items) != 1 || page.Items[0].CreatedBy != "otto" {
		t.Fatalf("the queue: %v %+v", err, page)
	}
	if _, err := w.client.RejectSubmission(ctx, sub.ID, sdk.Decision{}); err == nil || !strings.Contains(err.Error(), "Say in a comment") {
		t.Errorf("rejected in silence: %v", err)
	}
	done, err := w.client.ApproveSubmission(ctx, sub.ID, sdk.Decision{Comment: "Fine", Grant: true})
	if err != nil || done.Status != "published" || done.DecidedBy != "ada" || done.Comment != "Fine" || done.Before != "1.0.0" {
		t.Fatalf("%v %+v", err, done)
	}
	v, err := author.PluginVersion(ctx, "zone", "1.0.0")
	if err != nil || v.Grant == nil || v.CreatedBy != "otto" {
		t.Errorf("%v %+v", err, v)
	}
	events, err := author.PluginEvents(ctx, "zone")
	if err != nil || len(events.Items) != 3 || events.Items[0].Kind != "granted" || events.Items[2].Actor != "otto" {
		t.Errorf("%v %+v", err, events)
	}
	next, err := author.SubmitPlugin(ctx, packed(t, "1.1.0"), "")
	if err != nil || next.Before != "1.0.0" || next.Asks[0].New || !next.Asks[0].Granted {
		t.Fatalf("%v %+v", err, next)
	}
	if back, err := author.WithdrawSubmission(ctx, next.ID); err != nil || back.Status != "withdrawn" {
		t.Errorf("%v %+v", err, back)
	}
	// A truncated upload fails whole.
	cut := packed(t, "1.2.0")
	if a := w.raw("POST", "/api/v1/submissions", string(cut[:len(cut)/2]), "Content-Type", "application/wasm"); a.StatusCode != 422 {
		t.Errorf("truncated: %d %s", a.StatusCode, a.body)
	}
}
