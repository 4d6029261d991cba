package dispatch

import (
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/server/store"
)

var update = flag.Bool("update", false, "write the table of docs/states.md anew")

// column is a state that an execution may be in when something happens.
type column struct {
	name   string
	states []octopus.Status // that behave alike, and are checked to
	change func(*octopus.Execution)
}

var columns = []column{
	{"queued", []octopus.Status{octopus.Queued}, nil},
	{"queued for a retry", []octopus.Status{octopus.Queued}, func(x *octopus.Execution) {
		x.Attempt, x.Fence, x.NotBefore = 1, 1, noon.Add(time.Minute)
		x.Waiting = &octopus.Waiting{Code: "retry", Message: "Attempt 1 failed.", Since: noon}
	}},
	{"offered", []octopus.Status{octopus.Offered}, nil},
	{"running", []octopus.Status{octopus.Running}, nil},
	{"running, cancelling", []octopus.Status{octopus.Running}, func(x *octopus.Execution) { x.Cancelling, x.CancelledBy = true, "ada" }},
	{"ended", []octopus.Status{octopus.Succeeded, octopus.Failed, octopus.TimedOut, octopus.Cancelled, octopus.Lost, octopus.Expired, octopus.Rejected}, nil},
}

// row is something that happens.
type row struct {
	name    string
	message string // of the agent's, by its Go name; "" for timers and people
	event   event
	change  func(*octopus.Execution)
	later   time.Duration // after noon
}

func about(k kind, change ...func(*event)) event {
	e := from(k)
	for _, f := range change {
		f(&e)
	}
	return e
}

func withResult(status octopus.Status, code int) func(*event) {
	return func(e *event) {
		e.result = resultOf(status, code)
		e.result.MayRetry = code == 503
	}
}

func inPhase(p wire.Phase) func(*event) { return func(e *event) { e.phase = p } }
func underFence(n int64) func(*event)   { return func(e *event) { e.fence = n } }
func because(r wire.RejectReason, left int) func(*event) {
	return func(e *event) { e.reject, e.left = r, left }
}
func started(e *event) { e.prepared = &wire.Prepared{Started: true, ReadyMS: 5} }
func another(e *event) { e.agentID = "agt_2" }

func attempts(x *octopus.Execution) { x.MaxAttempts = 3 }
func retries(x *octopus.Execution) {
	x.MaxAttempts, x.OnLost, x.Idempotent = 3, octopus.OnLostRetry, true
}
func overdue(x *octopus.Execution) { x.DeadlineAt = noon }
func waited(x *octopus.Execution) {
	if x.Status == octopus.Queued {
		x.WaitUntil = noon
	}
}
func silent(x *octopus.Execution) { x.Silent = x.Status == octopus.Running }

// rows is everything that can happen to an execution: each message of its agent, each timer, each thing that people do.
var rows = []row{
	{name: "an agent has room", event: event{kind: evOffer, agentID: "agt_2", agentName: "web-02"}},
	{name: "`accept`", message: "Accept", event: about(evAccept)},
	{name: "`accept`, older fence", message: "Accept", event: about(evAccept, underFence(0))},
	{name: "`accept`, another agent", message: "Accept", event: about(evAccept, another)},
	{name: "`reject` busy", message: "Reject", event: about(evReject, because(wire.RejectBusy, 0))},
	{name: "`reject` no_space", message: "Reject", event: about(evReject, because(wire.RejectNoSpace, 0))},
	{name: "`reject` policy, sandbox or plugin; others are left", message: "Reject", event: about(evReject, because(wire.RejectPolicy, 1))},
	{name: "`reject` policy, sandbox or plugin; none is left", message: "Reject", event: about(evReject, because(wire.RejectSandbox, 0))},
	{name: "`reject`, older fence", message: "Reject", event: about(evReject, because(wire.RejectBusy, 1), underFence(0))},
	{name: "`prepared`: the guest starts", message: "Prepared", event: about(evStarted, started)},
	{name: "`result` succeeded", message: "Result", event: about(evResult, withResult(octopus.Succeeded, 200))},
	{name: "`result` failed, no attempt left", message: "Result", event: about(evResult, withResult(octopus.Failed, 503))},
	{name: "`result` failed, may be retried", message: "Result", event: about(evResult, withResult(octopus.Failed, 503)), change: attempts},
	{name: "`result` timed_out", message: "Result", event: about(evResult, withResult(octopus.TimedOut, 504))},
	{name: "`result` cancelled", message: "Result", event: about(evResult, withResult(octopus.Cancelled, 499))},
	{name: "`result` lost", message: "Result", event: about(evResult, withResult(octopus.Lost, 0))},
	{name: "`result` lost, `on_lost: retry`", message: "Result", event: about(evResult, withResult(octopus.Lost, 0)), change: retries},
	{name: "`result`, older fence", message: "Result", event: about(evResult, withResult(octopus.Succeeded, 200), underFence(0))},
	{name: "`result`, a fence that was never given", message: "Result", event: about(evResult, withResult(octopus.Succeeded, 200), underFence(9))},
	{name: "`hello`: accepted", message: "Hello", event: about(evHello, inPhase(wire.PhaseAccepted))},
	{name: "`hello`: started", message: "Hello", event: about(evHello, inPhase(wire.PhaseStarted))},
	{name: "`hello`: done", message: "Hello", event: about(evHello, inPhase(wire.PhaseDone))},
	{name: "`hello`: accepted, older fence", message: "Hello", event: about(evHello, inPhase(wire.PhaseAccepted), underFence(0))},
	{name: "`hello`: started, older fence", message: "Hello", event: about(evHello, inPhase(wire.PhaseStarted), underFence(0))},
	{name: "`hello` of its agent does not name it; the journal is the same since the go", message: "Hello", event: about(evNeverStarted)},
	{name: "`hello` of its agent does not name it; another journal", message: "Hello", event: about(evLost)},
	{name: "its agent's session ended", event: about(evDetach)},
	{name: "its agent is silent", event: about(evSilent)},
	{name: "its agent is heard again", event: about(evHeard), change: silent},
	{name: "its agent was silent for too long", event: about(evLost)},
	{name: "its agent was silent for too long, `on_lost: retry`", event: about(evLost), change: retries},
	{name: "its agent was silent for too long, but it has another fence by now", event: about(evLost, underFence(0))},
	{name: "not accepted in 10 s", event: event{kind: evDue}, later: 6 * time.Second},
	{name: "nobody took it within its wait", event: event{kind: evDue}, change: waited},
	{name: "the pause before its retry is over", event: event{kind: evDue}, later: 2 * time.Minute, change: func(x *octopus.Execution) {
		x.OfferExpiresAt, x.DeadlineAt = time.Time{}, noon.Add(time.Hour)
	}},
	{name: "deadline, or overdue by 30 s; its agent is connected", event: event{kind: evDue, connected: true}, change: overdue},
	{name: "deadline, or overdue by 30 s; its agent is not connected", event: event{kind: evDue}, change: overdue},
	{name: "why it waits has changed", event: about(evWaiting)},
	{name: "a person cancels", event: event{kind: evCancel, by: "ada"}},
	{name: "a person force-closes", event: event{kind: evForceClose, by: "ada"}},
	{name: "its plugin was revoked", event: about(evRefuse)},
	{name: "the database was restored from a backup", event: event{kind: evRestored}},
}

// stateless are the messages of an agent that change no execution.
var stateless = map[string]string{
	"Heartbeat": "memory only", "Progress": "shown, and written beside", "Log": "stored beside", "CancelAck": "ends the repetition of a cancel",
	"Call": "answered", "Draining": "of the session",
}

// TestStatesPage holds docs/states.md against what the steps do, cell by cell. A new kind of event, message or state
// without a row or a column fails it.
func TestStatesPage(t *testing.T) {
	t.Parallel()
	checkCovered(t)
	table := "| what happens | " + strings.Join(names(columns), " | ") + " |\n|" + strings.Repeat("---|", len(columns)+1) + "\n"
	for _, r := range rows {
		cells := []string{r.name}
		for _, c := range columns {
			cells = append(cells, outcomeOf(t, r, c))
		}
		table += "| " + strings.Join(cells, " | ") + " |\n"
	}
	checkPage(t, "server", table)
}

func names(list []column) (names []string) {
	for _, c := range list {
		names = append(names, c.name)
	}
	return names
}

// checkCovered fails where a kind, a message or a state has no place in the table.
func checkCovered(t *testing.T) {
	t.Helper()
	used := make(map[string]bool)
	for _, r := range rows {
		used["kind "+string(r.event.kind)] = true
		used[r.message] = true
	}
	for _, k := range kinds {
		if !used["kind "+string(k)] {
			t.Errorf("the event %q has no row", k)
		}
	}
	for _, m := range messagesIn(t, "../../internal/wire/agent.go") {
		if _, ok := stateless[m]; ok == used[m] {
			t.Errorf("the message %s has a row: %v, and is said to change nothing: %v", m, used[m], ok)
		}
	}
	var seen []octopus.Status
	for _, c := range columns {
		seen = append(seen, c.states...)
	}
	for _, s := range octopus.Statuses {
		if !slices.Contains(seen, s) {
			t.Errorf("the state %s has no column", s)
		}
	}
}

// messagesIn lists the messages that a file of internal/wire declares: its structs that have a kind in codec.go.
func messagesIn(t *testing.T, file string) (list []string) {
	t.Helper()
	codec, err := os.ReadFile("../../internal/wire/codec.go")
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		if s, ok := n.(*ast.TypeSpec); ok && strings.Contains(string(codec), "func (*"+s.Name.Name+") kind()") {
			list = append(list, s.Name.Name)
		}
		return true
	})
	if len(list) < 10 {
		t.Fatalf("only %v were found in %s", list, file)
	}
	return list
}

// outcomeOf is a cell: the same for every state of the column.
func outcomeOf(t *testing.T, r row, c column) string {
	t.Helper()
	cell := ""
	for i, status := range c.states {
		x := in(status)
		for _, change := range []func(*octopus.Execution){c.change, r.change} {
			if change != nil && !status.Terminal() {
				change(&x)
			}
		}
		machine := tests
		if r.event.kind == evRestored {
			machine.floor = 1 << 40
		}
		next, effects, err := machine.step(x, noon.Add(r.later), r.event)
		said := say(x, next, effects, err)
		if i > 0 && said != cell {
			t.Errorf("%s: %s becomes %q, %s becomes %q", r.name, c.states[0], cell, status, said)
		}
		cell = said
	}
	return cell
}

// say puts what a step did into a few words.
func say(x octopus.Execution, c store.Change, effects []effect, err error) string {
	var words []string
	switch {
	case errors.Is(err, store.ErrNoChange):
	case err != nil:
		return "refused: 409"
	default:
		words = append(words, difference(x, c)...)
	}
	for _, e := range effects {
		if m := messageOf(e); m != "" {
			words = append(words, "*"+m+"*")
		}
	}
	if len(words) == 0 {
		return "–"
	}
	return strings.Join(words, ", ")
}

func difference(x octopus.Execution, c store.Change) (words []string) {
	next := c.Next
	note := func(is bool, text string) {
		if is {
			words = append(words, text)
		}
	}
	note(next.Status != x.Status, "→ "+string(next.Status))
	note(next.Attempt > x.Attempt, "attempt + 1")
	note(len(next.Excluded) > len(x.Excluded) && next.Status == octopus.Queued, "without that agent")
	note(next.Status == octopus.Queued && next.NotBefore.After(x.NotBefore), "after a pause")
	note(next.Cancelling && !x.Cancelling, "cancelling")
	note(next.Silent && !x.Silent, "silent")
	note(!next.Silent && x.Silent && next.Status == x.Status, "no longer silent")
	note(next.StartedAt.After(x.StartedAt) && next.Status == octopus.Running, "its timeout counts from here")
	note(next.Status == x.Status && next.NotBefore.IsZero() && !x.NotBefore.IsZero(), "may be offered")
	note(next.Status == x.Status && next.Waiting != nil && x.Waiting == nil, "its reason")
	note(c.Evidence != nil, "evidence")
	return words
}

func messageOf(e effect) string {
	switch e.kind {
	case sendGo:
		return "go"
	case sendWithdrawn:
		return "withdrawn"
	case sendCancel:
		if e.grace == 0 {
			return "cancel without grace"
		}
		return "cancel"
	case sendAck:
		return string(e.verdict)
	case sendAnswer:
		return string(e.answer)
	case sendOffer:
		return "offer"
	}
	return ""
}

// checkPage compares a table with the one between its marks in docs/states.md, or writes it.
func checkPage(t *testing.T, name, table string) {
	t.Helper()
	const page = "../../docs/states.md"
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := fmt.Sprintf("<!-- table of the %s: go test -update writes it -->\n", name), fmt.Sprintf("<!-- end of the table of the %s -->\n", name)
	head, rest, ok := strings.Cut(string(raw), begin)
	old, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no marks for the table of the %s", page, name)
	}
	if old == table {
		return
	}
	if *update {
		if err := os.WriteFile(page, []byte(head+begin+table+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	was := strings.Split(old, "\n")
	for i, line := range strings.Split(table, "\n") {
		if i >= len(was) || was[i] != line {
			t.Errorf("%s does not say what the code does. Run go test ./server/dispatch -run TestStatesPage -update where the code is right. First difference:\n%s", page, line)
			return
		}
	}
	t.Errorf("%s has rows that the code has not", page)
}
