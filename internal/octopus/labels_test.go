package octopus

import (
	"strconv"
	"strings"
	"testing"
)

// TestCheckLabels: what is taken, a selector can name; what is refused, none could, or nobody would see it for what it is.
func TestCheckLabels(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, value string
		ok          bool
	}{
		{"env", "prod", true}, {"env", "", true}, {"a.b/c-d_e", "x, (y) = z!", true}, {"0", "größe 漢字", true}, {"Env", " spaced ", true},
		{strings.Repeat("k", 253), strings.Repeat("é", 255), true}, {"back", `C:\temp`, true}, {"in", "x", true},
		{"", "x", false}, {" ", "x", false}, {"two words", "x", false}, {"-a", "x", false}, {".a", "x", false}, {"a=b", "x", false}, {"größe", "x", false},
		{"a\nb", "x", false}, {"a\"b", "x", false}, {strings.Repeat("k", 254), "x", false}, {"a\xff", "x", false},
		{"env", "two\nlines", false}, {"env", "\x1b[31mred", false}, {"env", "nul\x00", false}, {"env", "abc\u202egnp.exe", false},
		{"env", `say "hi"`, false}, {"env", "\xff", false}, {"env", strings.Repeat("é", 256), false},
	} {
		labels := map[string]string{tc.name: tc.value}
		err := CheckLabels(labels)
		if (err == nil) != tc.ok {
			t.Errorf("%q=%q: %v", tc.name, tc.value, err)
		}
		if err != nil && (CodeOf(err) != CodeInvalid || !strings.HasSuffix(Sentence(err), ".")) {
			t.Errorf("%q=%q: %v", tc.name, tc.value, err)
		}
		if !tc.ok {
			continue
		}
		selector, err := ParseSelector(tc.name + `="` + tc.value + `"`)
		if err != nil || !selector.Match(labels) || selector.Match(map[string]string{tc.name: tc.value + "+"}) {
			t.Errorf("no selector names %q=%q: %v", tc.name, tc.value, err)
		}
	}
	many := map[string]string{}
	for i := range 64 {
		many["k"+strconv.Itoa(i)] = ""
	}
	if err := CheckLabels(many); err != nil {
		t.Error(err)
	}
	many["one-more"] = ""
	if CheckLabels(many) == nil || CheckLabels(nil) != nil {
		t.Error("65 labels were taken, or none refused")
	}
}
