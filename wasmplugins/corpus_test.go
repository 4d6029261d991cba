package wasmplugins

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestCorpus: every module has its source, the list names every module once and no other, and 40 at least are hostile.
func TestCorpus(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(filepath.Join("testdata", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	table, others, _ := strings.Cut(string(raw), "\nNot hostile")
	names := func(text string) (all []string) {
		for _, m := range regexp.MustCompile("`([a-z0-9_]+)`").FindAllStringSubmatch(text, -1) {
			all = append(all, m[1])
		}
		return all
	}
	listed := map[string]int{}
	for _, name := range append(names(table), names(others)...) {
		listed[name]++
	}
	files, err := filepath.Glob(filepath.Join("testdata", "*.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".wasm")
		if _, err := os.Stat(strings.TrimSuffix(file, ".wasm") + ".wat"); err != nil {
			t.Errorf("%s has no source: %v", name, err)
		}
		if listed[name] != 1 {
			t.Errorf("%s is listed %d times", name, listed[name])
		}
		delete(listed, name)
	}
	if len(listed) > 0 {
		t.Errorf("listed, but not there: %v", listed)
	}
	if n := len(names(table)); n < 40 {
		t.Errorf("%d hostile modules", n)
	}
}

// custom is a custom section with any name, length and content.
func custom(name string, nameLength uint64, content string) []byte {
	body := append(binary.AppendUvarint(nil, nameLength), name...)
	return sectionOf(secCustom, append(body, content...))
}

// A manifest that is not what it seems is read by nobody.
func TestLyingManifests(t *testing.T) {
	t.Parallel()
	noop := module(t, "noop")
	with := func(parts ...[]byte) []byte { return append(bytes.Clone(noop), bytes.Join(parts, nil)...) }
	section := func(content string) []byte { return custom(ManifestSection, uint64(len(ManifestSection)), content) }
	and := func(more string) string { return strings.TrimSuffix(manifestJSON, "}") + "," + more + "}" }
	for _, c := range []struct {
		name, says string
		raw        []byte
	}{
		{"two of them", "2 sections", with(section(manifestJSON), section(manifestJSON))},
		{"capabilities twice", "capabilities", with(section(and(`"capabilities":{},"capabilities":{"exec":[{"name":"sh"}]}`)))},
		{"a key in another case", "Capabilities", with(section(and(`"Capabilities":{"http":{"hosts":["*"]}}`)))},
		{"a key within in another case", "Mode", with(section(and(`"capabilities":{"files":[{"path":"/a","mode":"ro","Mode":"rw"}]}`)))},
		{"an unknown capability", "root", with(section(and(`"capabilities":{"root":true}`)))},
		{"a second document", "", with(section(manifestJSON + manifestJSON))},
		{"no UTF-8", "", with(section(strings.Replace(manifestJSON, `"noop"`, "\"no\xffop\"", 1)))},
		{"10,000 deep", "", with(section(and(`"config":` + strings.Repeat(`{"a":`, 10_000) + "1" + strings.Repeat("}", 10_000))))},
		{"a name of 4 GiB", "broken", with(custom(ManifestSection, 1<<32-1, manifestJSON))},
		{"a section longer than the file", "cut off", with([]byte{secCustom}, binary.AppendUvarint(nil, 1<<31), []byte(manifestJSON))},
		{"a path as its name", "name", with(section(strings.Replace(manifestJSON, `"noop"`, `"../../etc"`, 1)))},
		{"more memory than there may be", "memory", with(section(and(`"limits":{"memory":"64GiB"}`)))},
		{"files by a way around", "path", with(section(and(`"capabilities":{"files":[{"path":"/var/log/../../etc","mode":"rw"}]}`)))},
	} {
		m, err := ManifestOf(c.raw)
		said := fmt.Sprint(err)
		if err == nil {
			said = ""
			for _, p := range m.Validate() {
				said += p.Path + ": " + p.Message + "\n"
			}
		}
		if said == "" || !strings.Contains(said, c.says) {
			t.Errorf("%s: %q, want %q in it", c.name, said, c.says)
		}
	}
}
