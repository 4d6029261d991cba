package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"octopus/sdk"
)

// The tables of the lists: one function for each kind of thing, the most asked-for column first.

func runTable(t io.Writer, runs []sdk.Run) {
	now := time.Now()
	row(t, "RUN", "STATUS", "WHAT", "EXECUTIONS", "BY", "CREATED", "TOOK")
	for _, r := range runs {
		row(t, r.ID, r.Status, whatOf(r.TaskName, r.Plugin, r.Action), counts(r), dash(r.CreatedBy), ago(r.CreatedAt, now), between(r.StartedAt, r.FinishedAt))
	}
}

// whatOf names what ran: the task, or the plugin and its action.
func whatOf(task, plugin, action string) string {
	if task != "" {
		return task
	}
	return plugin + " " + action
}

// counts shows how the executions of a run stand, such as "2 succeeded, 1 failed".
func counts(r sdk.Run) string {
	var parts []string
	for _, status := range []string{"failed", "timed_out", "lost", "rejected", "expired", "cancelled", "running", "offered", "queued", "succeeded"} {
		if n := r.Counts[status]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, status))
		}
	}
	return dash(strings.Join(parts, ", "))
}

func between(from, to time.Time) string {
	if from.IsZero() || to.IsZero() {
		return "–"
	}
	return took(float64(to.Sub(from)) / float64(time.Millisecond))
}

func executionTable(t io.Writer, list []sdk.Execution) {
	now := time.Now()
	row(t, "EXECUTION", "STATUS", "WHAT", "AGENT", "CREATED", "TOOK", "MESSAGE")
	for _, x := range list {
		row(t, x.ID, statusOf(x), whatOf(x.TaskName, x.Plugin, x.Action), dash(x.AgentName), ago(x.CreatedAt, now), took(x.DurationMS), oneLine(said(x), 60))
	}
}

// statusOf is the status with its flags.
func statusOf(x sdk.Execution) string {
	switch {
	case x.Ended():
		return x.Status
	case x.Cancelling:
		return x.Status + ", cancelling"
	case x.Silent:
		return x.Status + ", silent"
	}
	return x.Status
}

// statusWords is a status or a state as people read it.
func statusWords(s string) string { return strings.ReplaceAll(s, "_", " ") }

// said is the one sentence that tells most about an execution.
func said(x sdk.Execution) string {
	switch {
	case x.Response != nil && x.Response.Message != "":
		return x.Response.Message
	case x.Message != "":
		return x.Message
	case x.Reason != nil:
		return x.Reason.Message
	case x.Waiting != nil:
		return x.Waiting.Message
	case x.Progress != nil:
		return fmt.Sprintf("%.0f %% %s", x.Progress.Fraction*100, x.Progress.Message)
	}
	return x.LastLog
}

func agentTable(t io.Writer, agents []sdk.Agent) {
	now := time.Now()
	row(t, "AGENT", "STATUS", "PLATFORM", "FREE", "SANDBOX", "LABELS", "LAST SEEN")
	for _, g := range agents {
		seen := ago(g.LastSeen, now)
		if g.Status == "online" {
			seen = "now"
		}
		row(t, g.Name, agentStatus(g), dash(g.Facts.OS+"/"+g.Facts.Arch), fmt.Sprintf("%d/%d", g.Free, g.Slots), dash(g.Facts.SandboxLevel), dash(labels(g.Labels)), seen)
	}
}

// agentStatus is the status with what keeps work away.
func agentStatus(g sdk.Agent) string {
	switch {
	case g.Revoked:
		return "revoked"
	case g.Drained:
		return g.Status + ", drained"
	}
	return g.Status
}

// attemptOf counts an attempt; one that never started is followed by more than were asked for.
func attemptOf(attempt, most int) string {
	if attempt > max(1, most) {
		return strconv.Itoa(attempt)
	}
	return fmt.Sprintf("%d of %d", attempt, max(1, most))
}

func labels(m map[string]string) string {
	parts := make([]string, 0, len(m))
	for _, k := range sortedKeys(m) {
		parts = append(parts, k+"="+m[k])
	}
	return strings.Join(parts, ",")
}

func taskTable(t io.Writer, tasks []sdk.Task) {
	now := time.Now()
	row(t, "TASK", "FOLDER", "WHAT", "TARGET", "ENABLED", "LAST RUN")
	for _, k := range tasks {
		last := "–"
		if k.LastRun != nil {
			last = k.LastRun.Status + " " + ago(k.LastRun.CreatedAt, now)
		}
		row(t, k.Name, dash(k.Folder), k.Plugin+" "+k.Action, target(k.Target), yesNo(k.Enabled), last)
	}
}

// target is a target in words.
func target(t sdk.Target) string {
	where := ""
	if t.Selector != "" {
		where = " of " + t.Selector
	}
	switch t.Mode {
	case "all":
		return "all" + where
	case "agent":
		return t.Agent
	}
	return fmt.Sprintf("any %d%s", max(1, t.Count), where)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func pluginTable(t io.Writer, plugins []sdk.Plugin) {
	row(t, "PLUGIN", "VERSION", "ENABLED", "GRANTED", "RUNS", "DESCRIPTION")
	for _, p := range plugins {
		version, granted := "–", "–"
		if len(p.Versions) > 0 {
			version, granted = p.Versions[0].Version, yesNo(grantedAny(p.Versions[0]))
		}
		description := oneLine(p.Description, 60)
		if len(p.Versions) > 0 && p.Versions[0].Unsandboxed {
			description += " (unsandboxed)"
		}
		row(t, p.Name, version, yesNo(p.Enabled), granted, p.Runs, description)
	}
}

func userTable(t io.Writer, users []sdk.User) {
	now := time.Now()
	row(t, "USER", "ROLE", "NAME", "ACTIVE", "LAST LOGIN")
	for _, u := range users {
		row(t, u.Username, u.Role, dash(u.DisplayName), yesNo(u.Active), ago(u.LastLogin, now))
	}
}

func tokenTable(t io.Writer, tokens []sdk.Token) {
	now := time.Now()
	row(t, "TOKEN", "NAME", "ROLE", "EXPIRES", "LAST USED")
	for _, k := range tokens {
		row(t, k.ID, k.Name, k.Role, endOf(k.ExpiresAt, k.RevokedAt, now), ago(k.LastUsed, now))
	}
}

func joinTokenTable(t io.Writer, tokens []sdk.JoinToken) {
	now := time.Now()
	row(t, "TOKEN", "NAME", "USED", "LABELS", "EXPIRES")
	for _, k := range tokens {
		most := "∞"
		if k.MaxUses > 0 {
			most = fmt.Sprint(k.MaxUses)
		}
		row(t, k.ID, dash(k.Name), fmt.Sprintf("%d of %s", k.Uses, most), dash(labels(k.Labels)), endOf(k.ExpiresAt, k.RevokedAt, now))
	}
}

// endOf says until when a token is good.
func endOf(expires, revoked, now time.Time) string {
	switch {
	case !revoked.IsZero():
		return "revoked"
	case expires.IsZero():
		return "never"
	}
	return ago(expires, now)
}

func cacheTable(t io.Writer, regions []sdk.CacheRegion) {
	row(t, "REGION", "TTL", "ITEMS", "HITS", "MISSES", "EVICTIONS")
	for _, r := range regions {
		row(t, r.Region, time.Duration(r.TTLSeconds*float64(time.Second)), r.Items, r.Hits, r.Misses, r.Evictions)
	}
}

// showExecution prints one execution in full.
func showExecution(t io.Writer, server string, x sdk.Execution) {
	row(t, "Execution", x.ID)
	row(t, "Run", x.RunID)
	row(t, "What", whatOf(x.TaskName, x.Plugin, x.Action)+" ("+x.Plugin+" "+x.PluginVersion+")")
	row(t, "Agent", dash(x.AgentName))
	row(t, "Status", statusOf(x))
	if s := said(x); s != "" {
		row(t, "Message", oneLine(s, 400))
	}
	if x.Reason != nil {
		row(t, "Reason", x.Reason.Code+": "+oneLine(x.Reason.Message, 400))
	}
	for _, l := range x.LateResults {
		row(t, "Late result", stamp(l.At)+": "+l.Message)
	}
	if x.Unsandboxed {
		row(t, "Unsandboxed", "its plugin may run programs outside the sandbox")
	}
	if x.DryRun {
		row(t, "Dry run", "nothing was changed")
	}
	sandboxRows(t, x.Sandbox, x.Clock, x.Seed)
	for _, i := range x.Intents {
		row(t, "Would have done", oneLine(i.Op+": "+i.Message, 400))
	}
	row(t, "Attempt", attemptOf(x.Attempt, x.MaxAttempts))
	row(t, "Created", stamp(x.CreatedAt)+" by "+dash(x.CreatedBy))
	row(t, "Started", stamp(x.StartedAt))
	row(t, "Finished", stamp(x.FinishedAt))
	row(t, "Took", took(x.DurationMS))
	if u := x.Usage; u != nil && u.Fuel > 0 {
		row(t, "Fuel", fmt.Sprint(atLeast(u.FuelAtLeast), u.Fuel))
	}
	row(t, "Params", cmp.Or(string(x.Params), "{}"))
	if x.Response != nil && len(x.Response.Result) > 0 {
		row(t, "Result", string(compact(x.Response.Result)))
	}
	row(t, "Page", server+x.Links.UI)
}

// sandboxRows are what a task or an execution asks of its sandbox.
func sandboxRows(t io.Writer, level string, clock time.Time, seed *uint64) {
	if level != "" {
		row(t, "Sandbox", "at least "+level)
	}
	if !clock.IsZero() {
		row(t, "Clock", "frozen at "+clock.Format(time.RFC3339Nano))
	}
	if seed != nil {
		row(t, "Seed", *seed)
	}
}

// atLeast is what stands before a number that may be too low.
func atLeast(low bool) string {
	if low {
		return "at least "
	}
	return ""
}

// stamp is a time with its zone.
func stamp(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.Local().Format("2006-01-02 15:04:05.000 MST")
}

func compact(raw json.RawMessage) json.RawMessage {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(raw) != nil {
		return raw
	}
	return json.RawMessage(strings.TrimSpace(b.String()))
}
