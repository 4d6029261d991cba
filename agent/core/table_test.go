package core

import (
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/sdk/spec"
)

var update = flag.Bool("update", false, "write the table of docs/states.md anew")

// key is the execution that the table is about.
var tableKey = Key{"exe_1", 2}

// columns are the phases of an execution on an agent, and how it gets there.
var columns = []struct {
	name  string
	reach func(t *testing.T) *world
}{
	{"not known", func(t *testing.T) *world { w := newWorld(t); w.connect(); return w }},
	{"accepted", func(t *testing.T) *world { return reach(t, accepted) }},
	{"getting ready", func(t *testing.T) *world { return reach(t, going) }},
	{"started", func(t *testing.T) *world { return reach(t, started) }},
	{"started, cancelled", func(t *testing.T) *world {
		w := reach(t, started)
		w.hear(&wire.Cancel{Execution: tableKey.Execution, Fence: tableKey.Fence, GraceMS: 10_000})
		return w
	}},
	{"done", func(t *testing.T) *world { return reach(t, done) }},
	{"over", func(t *testing.T) *world {
		w := reach(t, done)
		w.hear(&wire.ResultAck{Execution: tableKey.Execution, Fence: tableKey.Fence, Verdict: wire.VerdictCommitted})
		return w
	}},
}

func theOffer(fence int64) *wire.Offer {
	return &wire.Offer{OfferSeq: 1, Execution: tableKey.Execution, Fence: fence, Attempt: 1, LostAfterMS: 90_000, OnLost: octopus.OnLostRetry}
}

func theEnd(natural bool) Done {
	return Done{Key: tableKey, Natural: natural, Code: spec.CodeCancelled, Result: wire.Result{Outcome: octopus.Succeeded}}
}

// reach brings the execution into a phase.
func reach(t *testing.T, p phase) *world {
	t.Helper()
	w := newWorld(t)
	w.connect()
	w.hear(theOffer(tableKey.Fence))
	if p >= going {
		w.hear(&wire.Go{Execution: tableKey.Execution, Fence: tableKey.Fence, Attempt: 1})
	}
	if p >= started {
		w.do(Ready{Key: tableKey})
	}
	if p == done {
		w.do(theEnd(true))
	}
	if it := w.c.items[tableKey]; it == nil || it.phase != p {
		t.Fatalf("the phase %d was not reached: %+v", p, it)
	}
	return w
}

func answer(a wire.Answer) func(*world) []Effect {
	return func(w *world) []Effect {
		return w.hear(&wire.HelloAnswer{End: true, Items: []wire.AnsweredItem{{Execution: tableKey.Execution, Fence: tableKey.Fence, Answer: a, Attempt: 1}}})
	}
}

func ack(v wire.Verdict) func(*world) []Effect {
	return func(w *world) []Effect {
		return w.hear(&wire.ResultAck{Execution: tableKey.Execution, Fence: tableKey.Fence, Verdict: v})
	}
}

func event(e Event) func(*world) []Effect { return func(w *world) []Effect { return w.do(e) } }

func cut(after time.Duration) func(*world) []Effect {
	return func(w *world) []Effect {
		w.do(Disconnected{})
		return w.after(after)
	}
}

// rows is everything that can happen: each message of the server, each word of a worker, each timer, the connection.
var rows = []struct {
	name string
	of   string // the Go name of the message or event
	do   func(*world) []Effect
}{
	{"`offer`", "Offer", func(w *world) []Effect { return w.hear(theOffer(tableKey.Fence)) }},
	{"`offer`, newer fence", "Offer", func(w *world) []Effect { return w.hear(theOffer(tableKey.Fence + 1)) }},
	{"`go`", "Go", func(w *world) []Effect {
		return w.hear(&wire.Go{Execution: tableKey.Execution, Fence: tableKey.Fence, Attempt: 1})
	}},
	{"`withdrawn`", "Withdrawn", func(w *world) []Effect {
		return w.hear(&wire.Withdrawn{Execution: tableKey.Execution, Fence: tableKey.Fence})
	}},
	{"`cancel`", "Cancel", func(w *world) []Effect {
		return w.hear(&wire.Cancel{Execution: tableKey.Execution, Fence: tableKey.Fence, GraceMS: 10_000})
	}},
	{"`cancel` without grace", "Cancel", func(w *world) []Effect {
		return w.hear(&wire.Cancel{Execution: tableKey.Execution, Fence: tableKey.Fence})
	}},
	{"`result_ack` committed or duplicate", "ResultAck", ack(wire.VerdictCommitted)},
	{"`result_ack` stale, superseded, rejected or unknown", "ResultAck", ack(wire.VerdictStale)},
	{"`hello_answer` go", "HelloAnswer", answer(wire.AnswerGo)},
	{"`hello_answer` keep", "HelloAnswer", answer(wire.AnswerKeep)},
	{"`hello_answer` cancel", "HelloAnswer", answer(wire.AnswerCancel)},
	{"`hello_answer` send_result", "HelloAnswer", answer(wire.AnswerSendResult)},
	{"`hello_answer` discard", "HelloAnswer", answer(wire.AnswerDiscard)},
	{"its accept found no room in the journal", "NoteFailed", event(NoteFailed{tableKey})},
	{"the runner is ready", "Ready", event(Ready{Key: tableKey})},
	{"the guest ended by itself", "Done", event(Done{Key: tableKey, Natural: true, Result: wire.Result{Outcome: octopus.Succeeded}})},
	{"the guest was ended", "Done", event(theEnd(false))},
	{"its large result was uploaded", "Uploaded", event(Uploaded{Key: tableKey})},
	{"its large result was not uploaded", "Uploaded", event(Uploaded{Key: tableKey, Err: errors.New("cut off")})},
	{"its large result was refused", "Uploaded", event(Uploaded{Key: tableKey, Err: errors.New("too large"), Refused: true})},
	{"5 s", "Tick", func(w *world) []Effect { return w.after(5 * second) }},
	{"connected", "Connected", event(Connected{wire.Hello{Agent: "agt_1"}})},
	{"disconnected, then 60 s", "Disconnected", cut(60 * second)},
	{"disconnected, then longer than the lease", "Disconnected", cut(10 * time.Minute)},
	{"the agent is told to stop", "Stop", event(Stop{Reason: "told to", Grace: time.Minute})},
}

// elsewhere are messages of the server that are about no execution, or that the shell keeps for itself.
var elsewhere = map[string]string{
	"Welcome": "opens the session", "HeartbeatAck": "of the session", "Drain": "of the session", "Restart": "as a stop",
	"Settings": "of the agent", "LogAck": "the shell's", "Reply": "the shell's", "Prefetch": "the shell's", "Broadcast": "the shell's",
}

// TestStatesPage holds docs/states.md against what the core does, cell by cell. A new message or event without a row
// fails it.
func TestStatesPage(t *testing.T) {
	t.Parallel()
	checkCovered(t)
	head, line := "| what happens |", "|---|"
	for _, c := range columns {
		head, line = head+" "+c.name+" |", line+"---|"
	}
	table := head + "\n" + line + "\n"
	for _, r := range rows {
		table += "| " + r.name + " |"
		for _, c := range columns {
			w := c.reach(t)
			before := phaseOf(w)
			table += " " + say(before, phaseOf, w, r.do(w)) + " |"
		}
		table += "\n"
	}
	checkPage(t, "agent", table)
}

// checkCovered fails where a message or an event has no row.
func checkCovered(t *testing.T) {
	t.Helper()
	used := make(map[string]bool)
	for _, r := range rows {
		used[r.of] = true
	}
	for _, m := range declared(t, "../../internal/wire/server.go", "../../internal/wire/codec.go", "func (*%s) kind()") {
		if _, ok := elsewhere[m]; ok == used[m] {
			t.Errorf("the message %s has a row: %v, and is said to be about no execution: %v", m, used[m], ok)
		}
	}
	for _, e := range declared(t, "doc.go", "doc.go", "func (%s) event()") {
		if e != "Message" && !used[e] {
			t.Errorf("the event %s has no row", e)
		}
	}
}

// declared lists the types of a file for which another file has a method.
func declared(t *testing.T, file, methods, pattern string) (list []string) {
	t.Helper()
	raw, err := os.ReadFile(methods)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(string(raw)), " ")
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		if s, ok := n.(*ast.TypeSpec); ok && strings.Contains(text, fmt.Sprintf(pattern, s.Name.Name)) {
			list = append(list, s.Name.Name)
		}
		return true
	})
	if len(list) < 5 {
		t.Fatalf("only %v were found in %s", list, file)
	}
	return list
}

// phaseOf names where the execution is.
func phaseOf(w *world) string {
	it := w.c.items[tableKey]
	if it == nil {
		return "over"
	}
	return []string{"accepted", "getting ready", "started", "done"}[it.phase]
}

// say puts what a step did into a few words.
func say(before string, now func(*world) string, w *world, effects []Effect) string {
	var words []string
	if after := now(w); after != before {
		words = append(words, "→ "+after)
	}
	seen := make(map[string]bool)
	for _, e := range effects {
		if word := wordFor(e); word != "" && !seen[word] {
			seen[word] = true
			words = append(words, word)
		}
	}
	if len(words) == 0 {
		return "–"
	}
	return strings.Join(words, ", ")
}

// wordFor names an effect; heartbeats are left out.
func wordFor(e Effect) string {
	switch e := e.(type) {
	case Send:
		name := strings.ToLower(reflect.TypeOf(e.Message).Elem().Name())
		switch m := e.Message.(type) {
		case *wire.Heartbeat:
			return ""
		case *wire.Reject:
			name += " " + string(m.Reason)
		case *wire.Result:
			name += " " + string(m.Outcome)
		case *wire.CancelAck:
			name = "cancel_ack"
		}
		return "*" + name + "*"
	case Permit:
		if e.Err != nil {
			return "it may not start"
		}
		return "it may start"
	case Note:
		return fmt.Sprintf("noted, *accept* under fence %+d", e.Offer.Fence-tableKey.Fence)
	case Kill:
		return "killed (" + e.Reason + ")"
	case Start:
		return "given to a worker"
	case Flag:
		return "flagged"
	case Keep:
		return "journalled"
	case Commit:
		return "its files in place"
	case File:
		return "filed away"
	case Drop, Reconnect, Exit, Upload:
		return strings.ToLower(reflect.TypeOf(e).Name())
	}
	return reflect.TypeOf(e).Name()
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
	switch {
	case !ok || !ok2:
		t.Fatalf("%s has no marks for the table of the %s", page, name)
	case old == table:
	case *update:
		if err := os.WriteFile(page, []byte(head+begin+table+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s does not say what the code does. Run go test ./agent/core -run TestStatesPage -update where the code is right, and look at the difference.", page)
	}
}
