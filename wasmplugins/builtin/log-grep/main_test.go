package main

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"octopus/wasmplugins/builtin/internal/hosttest"
)

// file is what file.read answers for all of a text at once.
func file(text string) string {
	raw, _ := json.Marshal(text) // text is text
	n := strconv.Itoa(len(text))
	return `{"body":` + string(raw) + `,"bytes":` + n + `,"size":` + n + `,"eof":true}`
}

func TestSearch(t *testing.T) {
	t.Parallel()
	const log = "INFO start\r\nERROR one\nerror two\nINFO end"
	for name, c := range map[string]struct {
		params, text  string
		status        int
		code, message string
		matches       int
	}{
		"counts":      {`"pattern":"ERROR"`, log, 200, "", ": 1 of 4 lines match.", 1},
		"none":        {`"pattern":"FATAL"`, log, 200, "", ": 0 of 4", 0},
		"case":        {`"pattern":"error","ignore_case":true`, log, 200, "", ": 2 of 4", 2},
		"invert":      {`"pattern":"INFO","invert":true`, log, 200, "", ": 2 of 4", 2},
		"line's end":  {`"pattern":"start$"`, log, 200, "", ": 1 of 4", 1},
		"too many":    {`"pattern":"INFO","at_most":1`, log, 502, "too_many", "more than 1.", 2},
		"just enough": {`"pattern":"INFO","at_most":2,"at_least":2`, log, 200, "", "", 2},
		"too few":     {`"pattern":"end","at_least":2`, log, 502, "too_few", "fewer than 2.", 1},
		"empty":       {`"pattern":"x"`, "", 200, "", ": 0 of 0", 0},
		"long line":   {`"pattern":"^a"`, strings.Repeat("a", 3*maxLine) + "\nb\n", 200, "", ": 1 of 2", 1},
		"bad pattern": {`"pattern":"("`, log, 400, "invalid_params", "no regular expression", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &hosttest.Host{Replies: map[string]string{"file.read": file(c.text)}}
			a := h.Run(t, actions, "search", `{"path":"/var/log/x",`+c.params+`}`)
			if a.StatusCode != c.status || a.Error.Code != c.code || !strings.Contains(a.Message, c.message) || int(a.Metrics["matches"]) != c.matches {
				t.Errorf("got %d %q %q %v, want %d %q …%q… %d", a.StatusCode, a.Error.Code, a.Message, a.Metrics, c.status, c.code, c.message, c.matches)
			}
		})
	}
}

func TestShown(t *testing.T) {
	t.Parallel()
	h := &hosttest.Host{Replies: map[string]string{"file.read": file("a\n" + strings.Repeat("b", 5000) + "\nb\nb\n")}}
	var r result
	if err := json.Unmarshal(h.Run(t, actions, "search", `{"path":"/x","pattern":"b","show":2}`).Result, &r); err != nil {
		t.Fatal(err)
	}
	if r.Matches != 3 || len(r.Shown) != 2 || r.Shown[0].Line != 2 || len(r.Shown[0].Text) != shownLine+len("…") || r.Shown[1] != (match{3, "b"}) {
		t.Errorf("%+v", r)
	}
}

func TestSinceTheLastRun(t *testing.T) {
	t.Parallel()
	h := &hosttest.Host{Replies: map[string]string{
		"kv.get": `{"found":true,"value":{"offset":100}}`, "kv.set": `{}`,
		"file.read": `{"body":"new\nhalf","bytes":8,"size":108,"eof":true}`,
	}}
	a := h.Run(t, actions, "search", `{"path":"/x","pattern":".","from":"last_run"}`)
	if a.StatusCode != 200 || a.Metrics["lines"] != 1 {
		t.Errorf("%+v", a)
	}
	if got := string(h.Requests["file.read"][0]); !strings.Contains(got, `"offset":100`) {
		t.Errorf("read %s", got)
	}
	if got := string(h.Requests["kv.set"][0]); !strings.Contains(got, `"offset":104`) { // half a line is left for the next
		t.Errorf("kept %s", got)
	}
	h = &hosttest.Host{Replies: map[string]string{
		"kv.get": `{"found":true,"value":{"offset":100}}`, "kv.set": `{}`, "file.read": `{"body":"young\n","bytes":6,"size":6,"eof":true}`,
	}}
	a = h.Run(t, actions, "search", `{"path":"/x","pattern":".","from":"last_run"}`)
	if n := len(h.Requests["file.read"]); n != 2 || !strings.Contains(string(h.Requests["file.read"][1]), `"offset":0`) || !strings.Contains(string(a.Result), `"rotated":true`) {
		t.Errorf("a shorter file was read %d times: %s", n, a.Result)
	}
}

func TestNotAllowed(t *testing.T) {
	t.Parallel()
	h := &hosttest.Host{Replies: map[string]string{"file.read": `{"error":{"code":"denied","message":"The owner's policy file names no folder above /x."}}`}}
	a := h.Run(t, actions, "search", `{"path":"/x","pattern":"b"}`)
	if a.StatusCode != 403 || a.Error.Code != "denied" || !strings.Contains(a.Message, "policy file") {
		t.Errorf("%+v", a)
	}
}
