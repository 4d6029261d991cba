package views

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"octopus/internal/octopus"
)

func draw(t *testing.T, c templ.Component) string {
	t.Helper()
	var out bytes.Buffer
	if err := c.Render(Shared(t.Context()), &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// sample is an execution that has everything, with hostile text wherever a plugin or a person can put some.
func sample() octopus.Execution {
	const evil = `<img src=x onerror=alert(1)>"'</script>`
	now := time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC)
	return octopus.Execution{
		ID: "exe_01", RunID: "run_01", TaskName: evil, Plugin: "p", PluginVersion: "1.0.0", Action: "a", AgentID: "agt_01", AgentName: evil,
		Status: octopus.Running, LastLog: evil, Progress: &octopus.Progress{Fraction: 0.4, Message: evil},
		Waiting: &octopus.Waiting{Message: evil, Since: now}, CreatedAt: now, QueuedAt: now, OfferedAt: now, GoAt: now, StartedAt: now, CreatedBy: evil,
	}
}

// TestFragments checks that what is sent alone is valid where it is put: a browser drops a <tr> outside of a table,
// and htmx would then insert nothing.
func TestFragments(t *testing.T) {
	t.Parallel()
	x := sample()
	tile := Tile{Agent: octopus.Agent{ID: "agt_01", Name: `"><script>`}, Status: "online", Slots: 4, Free: 2, Running: []TileRun{{"exe_01", "<b>"}}}
	run := octopus.Run{ID: "run_01", TaskName: "<b>", Total: 3, Counts: octopus.Counts{octopus.Failed: 1, octopus.Running: 2}}
	for name, f := range map[string]struct {
		c    templ.Component
		in   atom.Atom
		want atom.Atom
		id   string
	}{
		"feed item":     {FeedItem(x), atom.Ol, atom.Li, "f-exe_01"},
		"execution row": {ExecutionRow(x), atom.Tbody, atom.Tr, "x-exe_01"},
		"run row":       {RunRow(run), atom.Tbody, atom.Tr, "r-run_01"},
		"agent row":     {AgentRow(tile), atom.Tbody, atom.Tr, "a-agt_01"},
		"agent tile":    {AgentTile(tile), atom.Div, atom.A, "t-agt_01"},
		"task row":      {TaskRow(octopus.Task{ID: "tsk_01", Name: "<b>"}), atom.Tbody, atom.Tr, "task-tsk_01"},
	} {
		nodes, err := html.ParseFragment(strings.NewReader(draw(t, f.c)), &html.Node{Type: html.ElementNode, Data: f.in.String(), DataAtom: f.in})
		if err != nil {
			t.Fatal(err)
		}
		if len(nodes) != 1 || nodes[0].DataAtom != f.want || !hasAttr(nodes[0], "id", f.id) || !hasAttr(nodes[0], "data-key", "") {
			t.Errorf("%s is not one %s with id %s and a key", name, f.want, f.id)
		}
		for _, n := range nodes {
			for d := range n.Descendants() {
				if d.DataAtom == atom.Script || d.DataAtom == atom.Img || d.DataAtom == atom.B && d.Parent.DataAtom == atom.A {
					t.Errorf("%s lets markup through", name)
				}
			}
		}
	}
}

func hasAttr(n *html.Node, key, value string) bool {
	for _, a := range n.Attr {
		if a.Key == key && (value == "" || a.Val == value) {
			return true
		}
	}
	return false
}

// TestShared: a shared fragment must not change because time passes, or every poll would send it again.
func TestShared(t *testing.T) {
	t.Parallel()
	x := sample()
	x.CreatedAt = time.Now().Add(-3 * time.Second)
	first := draw(t, FeedItem(x))
	if strings.Contains(first, "ago") || strings.Contains(first, "just now") {
		t.Errorf("a shared fragment has relative words: %s", first)
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0 ms", 500 * time.Microsecond: "< 1 ms", 12 * time.Millisecond: "12 ms", 1500 * time.Millisecond: "1.5 s",
		2 * time.Second: "2 s", 61 * time.Second: "1 min 1 s", 5 * time.Minute: "5 min", 25 * time.Hour: "1 d 1 h", 90 * time.Minute: "1 h 30 min",
	} {
		if got := Span(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1 000", 1234567: "1 234 567", -1234: "-1 234"} {
		if got := strings.ReplaceAll(Count(n), "\u2009", " "); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
	if got := Bytes(int64(1536)); got != "1.5 KiB" {
		t.Errorf("1536 bytes are %q", got)
	}
}

func TestValueOf(t *testing.T) {
	t.Parallel()
	if ValueOf(nil) != nil || ValueOf([]byte("null")) != nil {
		t.Error("nothing is something")
	}
	v := ValueOf([]byte(`{"b":1,"a":[{"x":1},{"y":true}],"l":["s",2],"deep":{"a":{"b":{"c":{"d":1}}}}}`))
	if v.Kind != "object" || v.Pairs[0].Key != "b" || v.Pairs[1].Value.Kind != "rows" || strings.Join(v.Pairs[1].Value.Columns, ",") != "x,y" || v.Pairs[2].Value.Kind != "list" {
		t.Errorf("read as %+v", v)
	}
	many := "[" + strings.TrimSuffix(strings.Repeat(`{"a":1},`, valueRows+7), ",") + "]"
	if v := ValueOf([]byte(many)); len(v.Rows) != valueRows || v.More != 7 {
		t.Errorf("%d rows and %d more", len(v.Rows), v.More)
	}
	draw(t, ValueTable(*v))
}

// FuzzValueOf: whatever a plugin answers can be drawn.
func FuzzValueOf(f *testing.F) {
	f.Add([]byte(`{"a":[1,{"b":null}],"c":"x"}`))
	f.Add([]byte(`[[[[[[1]]]]]]`))
	f.Add([]byte(`{"a":1`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if v := ValueOf(raw); v != nil {
			draw(t, ValueTable(*v))
		}
		Pretty(raw)
	})
}

// TestSandboxCard: what an agent's sandbox is made of is told with what a higher level lacks, and what it goes without.
func TestSandboxCard(t *testing.T) {
	t.Parallel()
	got := draw(t, sandboxCard(octopus.Sandbox{Level: "process", Has: []string{"a process of its own"}, Missing: []string{"no files (Landlock)"}, Without: []string{"a memory cgroup of its own"}}))
	for _, want := range []string{"a process of its own", "no files (Landlock) <small>missing for a higher level</small>", `data-testid="sandbox-without"`, "a memory cgroup of its own"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %s", want, got)
		}
	}
	if strings.Contains(draw(t, sandboxCard(octopus.Sandbox{Level: "full", Has: []string{"all"}})), "sandbox-without") {
		t.Error("a sandbox that lacks nothing goes without something")
	}
}

func TestHistoryWords(t *testing.T) {
	t.Parallel()
	for want, e := range map[string]octopus.PluginEvent{
		"enabled again":               {Kind: octopus.PluginStatusChanged, Message: "published"},
		"disabled":                    {Kind: octopus.PluginStatusChanged, Message: "disabled"},
		"marked as deprecated":        {Kind: octopus.PluginStatusChanged, Message: "deprecated"},
		"revoked for good":            {Kind: octopus.PluginStatusChanged, Message: "revoked"},
		"the whole plugin disabled":   {Kind: octopus.PluginSwitched, Message: "disabled"},
		"configured, changed: region": {Kind: octopus.PluginConfigured, Message: "changed: region"},
	} {
		if got := historyWords(e); got != want {
			t.Errorf("%+v reads %q, want %q", e, got, want)
		}
	}
}

func TestFetchWords(t *testing.T) {
	t.Parallel()
	for want, f := range map[string]octopus.Fetches{
		"–": {}, "3 × by 1 agent": {Downloads: 3, Agents: 1}, "2 ×": {Downloads: 2},
	} {
		if got := fetchWords(f); got != want {
			t.Errorf("%+v reads %q, want %q", f, got, want)
		}
	}
}
