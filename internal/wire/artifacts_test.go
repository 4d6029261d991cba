package wire

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestArtifacts(t *testing.T) {
	t.Parallel()
	want := []Artifact{
		{Name: "a\nb.txt", MediaType: "text/plain; charset=utf-8", Data: []byte("[]\n")},
		{Name: "empty", MediaType: "x/y", Data: []byte{}},
		{Name: "raw", Data: []byte{0, 255, '\n'}},
	}
	raw, err := EncodeArtifacts(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeArtifacts(raw)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%q became %+v: %v", raw, got, err)
	}
}

func TestArtifactsThatCannotBe(t *testing.T) {
	t.Parallel()
	many := strings.TrimSuffix(strings.Repeat(`{"name":"%d","size":0},`, MaxArtifacts+1), ",")
	var numbers []any
	for i := range MaxArtifacts + 1 {
		numbers = append(numbers, i)
	}
	for name, c := range map[string]struct{ raw, want string }{
		"nothing":       {"", "malformed"},
		"no list":       {"{}\n", "malformed"},
		"no end":        {`[{"name":"a","size":0}]`, "does not end"},
		"twice":         {`[{"name":"a"},{"name":"a"}]` + "\n", "two files"},
		"nameless":      {`[{"name":""}]` + "\n", "two files"},
		"short":         {`[{"name":"a","size":2}]` + "\nx", "cannot be"},
		"negative":      {`[{"name":"a","size":-1}]` + "\nx", "cannot be"},
		"left over":     {`[{"name":"a","size":1}]` + "\nxy", "no file"},
		"a header":      {`[{"name":"a","media_type":"a/b\r\nX: y"}]` + "\n", "cannot be"},
		"a long kind":   {`[{"name":"a","media_type":"` + strings.Repeat("x", MaxMediaType+1) + `"}]` + "\n", "cannot be"},
		"too many":      {"[" + fmt.Sprintf(many, numbers...) + "]\n", "over the limit"},
		"too much":      {"[]\n" + strings.Repeat("x", MaxArtifactBytes+1), "over the limit"},
		"a list beside": {"[] []\n", "does not end"},
	} {
		if got, err := DecodeArtifacts([]byte(c.raw)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// FuzzArtifacts: what is accepted says the same when it is written again, and its files are exactly the bytes behind the
// list.
func FuzzArtifacts(f *testing.F) {
	for _, seed := range []string{"[]\n", `[{"name":"a","media_type":"x/y","size":1}]` + "\nx", "[{}]\n", `[{"name":"a","size":9}]` + "\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		list, err := DecodeArtifacts(raw)
		if err != nil {
			return
		}
		var all []byte
		for _, a := range list {
			all = append(all, a.Data...)
		}
		if !bytes.HasSuffix(raw, append([]byte("\n"), all...)) {
			t.Fatalf("%q became %q", raw, all)
		}
		again, err := EncodeArtifacts(list)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := DecodeArtifacts(again); err != nil || len(list) > 0 && !reflect.DeepEqual(back, list) {
			t.Fatalf("%q became %q: %v", raw, again, err)
		}
	})
}
