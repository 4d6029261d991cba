package manifest_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"octopus/wasmplugins/manifest"
)

func TestJSON(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		"b: 1\na: 2":                    `{"b":1,"a":2}`,
		"a: [1, 1.5, true, null, ~, x]": `{"a":[1,1.5,true,null,null,"x"]}`,
		"a: 2020-01-01T00:00:00Z":       `{"a":"2020-01-01T00:00:00Z"}`,
		"a: yes\nb: \"1\"":              `{"a":"yes","b":"1"}`,
		"a: |\n  x <&>\n  y\n":          `{"a":"x <&>\ny\n"}`,
		"x: &x {k: v}\ny: *x":           `{"x":{"k":"v"},"y":{"k":"v"}}`,
		`{"a": {"b": [{}]}}`:            `{"a":{"b":[{}]}}`,
		"200: ok":                       `{"200":"ok"}`,
	} {
		got, err := manifest.JSON([]byte(source))
		if err != nil || string(got) != want {
			t.Errorf("%q: got %s, %v, want %s", source, got, err, want)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	bomb := "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
	for i := 1; i < 10; i++ {
		bomb += strings.ReplaceAll("aN: &aN [*aM,*aM,*aM,*aM,*aM,*aM,*aM,*aM,*aM]\n", "N", string(rune('0'+i)))
		bomb = strings.ReplaceAll(bomb, "aM", "a"+string(rune('0'+i-1)))
	}
	for source, want := range map[string]string{
		"":                   "no YAML document",
		"a: [":               "not valid YAML",
		"a: 1\na: 2":         "line 2: a is there twice",
		"a: .inf":            `".inf" cannot be written as JSON`,
		"[1]: 2":             "only plain names can be keys",
		"a: &a {<<: {b: 1}}": "only plain names can be keys",
		bomb:                 "too large once aliases are followed",
	} {
		if got, err := manifest.JSON([]byte(source)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: got %.60s, %v, want %q", source, got, err, want)
		}
	}
}

func TestFromYAML(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../builtin/*/plugin.yaml")
	if err != nil || len(files) < 8 {
		t.Fatalf("%d manifests, %v", len(files), err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		packed, m, err := manifest.FromYAML(source)
		if err != nil || !json.Valid(packed) || m.Name != filepath.Base(filepath.Dir(file)) {
			t.Errorf("%s: %s, %v", file, m.Name, err)
		}
	}
	var invalid *manifest.Invalid
	if _, _, err := manifest.FromYAML([]byte("schema: octopus.plugin/v1\nname: X\n")); !errors.As(err, &invalid) || len(invalid.Problems) < 2 {
		t.Errorf("got %v", err)
	}
}

func FuzzJSON(f *testing.F) {
	f.Add("a: &x [1, {b: *x}]")
	f.Add("? [a]\n: b")
	f.Add("!!binary aGk=: 0x1F")
	f.Fuzz(func(t *testing.T, source string) {
		if len(source) > 10_000 {
			return
		}
		if got, err := manifest.JSON([]byte(source)); err == nil && !json.Valid(got) {
			t.Errorf("%q became %q", source, got)
		}
	})
}
