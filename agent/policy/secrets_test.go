package policy

import "testing"

// TestSecrets: what the owner does not name is denied, once he names anything.
func TestSecrets(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][3]bool{
		"":                                       {true, true, true},
		"capabilities:\n  kv: true\n":            {false, false, false},
		"capabilities:\n  secrets: true\n":       {true, true, false},
		"capabilities:\n  secrets: false\n":      {false, false, false},
		"capabilities:\n  secrets: [a]\n":        {true, false, false},
		"capabilities:\n  user_params: [p, a]\n": {false, false, true},
		"capabilities:\n  user_params: true\n":   {false, false, true},
	} {
		p, err := Parse([]byte(text))
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if got := [3]bool{p.Secret("a"), p.Secret("b"), p.UserParams("p")}; got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	var none *Policy
	if !none.Secret("a") || !none.UserParams("p") {
		t.Error("no policy restricts nothing")
	}
	for _, bad := range []string{"capabilities:\n  secrets: 1\n", "capabilities:\n  secrets: {a: b}\n"} {
		if _, err := Parse([]byte(bad)); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
