package catalog_test

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"octopus/internal/octopus"
	"octopus/sdk/javascript"
	"octopus/server/cache"
	"octopus/server/catalog"
	"octopus/server/store/storetest"
	"octopus/wasmplugins"
)

func scripts(t *testing.T) *catalog.Catalog {
	t.Helper()
	if testing.Short() {
		t.Skip("-short leaves out what starts processes")
	}
	return catalog.New(catalog.Config{Store: storetest.Open(t), Cache: cache.New(nil, nil),
		Sandbox: catalog.Sandbox{Dir: t.TempDir(), Executable: []string{os.Args[0], "runner"}}})
}

func written(t *testing.T, template, name string) catalog.Script {
	t.Helper()
	source, manifest, ok := javascript.Write(template, name)
	if !ok {
		t.Fatalf("no template %s", template)
	}
	return catalog.Script{Source: source, Manifest: manifest}
}

// TestScripts: every template passes its own cases, faults are told by file and line, and a try shows what happened.
func TestScripts(t *testing.T) {
	t.Parallel()
	c := scripts(t)
	for _, about := range javascript.Templates() {
		s := written(t, about.Key, "my-plugin")
		if s.Name() != "my-plugin" {
			t.Errorf("%s: named %q", about.Key, s.Name())
		}
		faults, checks, err := c.TestScript(t.Context(), s)
		if err != nil || len(faults) > 0 || len(checks) == 0 {
			t.Fatalf("%s: %+v, %+v, %v", about.Key, faults, checks, err)
		}
		for _, k := range checks {
			if k.Status != octopus.CheckOK {
				t.Errorf("%s: %+v", about.Key, k)
			}
		}
		module, err := s.Pack()
		if err != nil {
			t.Fatal(err)
		}
		if in, err := c.Inspect(t.Context(), module); err != nil || in.Manifest.Name != "my-plugin" {
			t.Errorf("%s: packed %+v, %v", about.Key, in, err)
		}
		if script, err := wasmplugins.ScriptOf(module); err != nil || string(script) != s.Source {
			t.Errorf("%s: %d bytes of script, %v", about.Key, len(script), err)
		}
	}
	faultsOf(t, c)
	tries(t, c)
}

func faultsOf(t *testing.T, c *catalog.Catalog) {
	t.Helper()
	good := written(t, "transform", "sums")
	for _, test := range []struct {
		file   string
		line   int
		says   string
		change func(s *catalog.Script)
	}{
		{"plugin.js", 3, "SyntaxError", func(s *catalog.Script) { s.Source = "// one\nexport function total() {\n  return {;\n}\n" }},
		{"plugin.js", 2, "TypeError", func(s *catalog.Script) { s.Source = "const n = null;\nn.x;\nexport function total() {}\n" }},
		{"plugin.js", 0, "is empty", func(s *catalog.Script) { s.Source = " " }},
		{"plugin.js", 0, "did not end", func(s *catalog.Script) { s.Source = "for (;;);\nexport function total() {}" }},
		{"plugin.yaml", 7, "exports no function total", func(s *catalog.Script) { s.Source = "export function sum() {}" }},
		{"plugin.yaml", 3, "", func(s *catalog.Script) { s.Manifest = strings.Replace(s.Manifest, "name: sums", "name: S", 1) }},
		{"plugin.yaml", 2, "Not valid YAML", func(s *catalog.Script) { s.Manifest = "a: 1\nb: [\n" }},
	} {
		s := good
		test.change(&s)
		faults, err := c.CheckScript(t.Context(), s)
		if err != nil || len(faults) == 0 {
			t.Errorf("%q: %+v, %v", test.says, faults, err)
			continue
		}
		if f := faults[0]; f.File != test.file || f.Line != test.line || !strings.Contains(f.Message, test.says) || f.Message == "" {
			t.Errorf("want %s:%d %q, got %+v", test.file, test.line, test.says, faults)
		}
	}
	if faults, err := c.CheckScript(t.Context(), good); err != nil || len(faults) > 0 {
		t.Errorf("%+v, %v", faults, err)
	}
	bad := good
	bad.Manifest = strings.Replace(bad.Manifest, "abi: 1", "abi: 7", 1)
	if _, err := bad.Pack(); octopus.CodeOf(err) != octopus.CodeInvalid || !strings.Contains(err.Error(), "plugin.yaml:2") {
		t.Errorf("packed: %v", err)
	}
}

func tries(t *testing.T, c *catalog.Catalog) {
	t.Helper()
	s := written(t, "json-field", "field")
	try := catalog.Try{Action: "check", Params: json.RawMessage(`{"url":"https://example.com/","field":"a","equals":"1"}`),
		Fakes: "http: [{status: 200, body: '{\"a\": 1}'}]"}
	faults, out, err := c.TryScript(t.Context(), s, try)
	if err != nil || len(faults) > 0 || out.Response.StatusCode != 200 || len(out.Calls) != 1 || out.Calls[0].Op != "http.fetch" || len(out.Log) != 1 {
		t.Errorf("%+v, %+v, %v", faults, out, err)
	}
	try.Fakes = ""
	if _, out, err = c.TryScript(t.Context(), s, try); err != nil || out.Response.StatusCode != 502 || !strings.Contains(out.Calls[0].Reply, "No fake answers") {
		t.Errorf("without an answer: %+v, %v", out, err)
	}
	for want, change := range map[string]func(t *catalog.Try){
		"/fakes":      func(t *catalog.Try) { t.Fakes = "htpp: []" },
		"/params/url": func(t *catalog.Try) { t.Params = json.RawMessage(`{}`) },
	} {
		bad := try
		change(&bad)
		_, _, err := c.TryScript(t.Context(), s, bad)
		if octopus.CodeOf(err) != octopus.CodeInvalid || !strings.Contains(fieldsOf(err), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func fieldsOf(err error) (out string) {
	var e *octopus.Error
	if errors.As(err, &e) {
		for _, f := range e.Fields {
			out += f.Field + " "
		}
	}
	return out
}
