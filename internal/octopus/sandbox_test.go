package octopus

import (
	"slices"
	"strings"
	"testing"
)

func TestSandboxLevels(t *testing.T) {
	t.Parallel()
	for i, has := range SandboxLevels {
		for k, asked := range SandboxLevels {
			if has.Reaches(asked) != (i >= k) {
				t.Errorf("%s reaches %s: %v", has, asked, has.Reaches(asked))
			}
		}
		if !has.Reaches("") || SandboxLevel("").Reaches(has) || SandboxLevel("odd").Reaches(has) || has.Reaches("odd") || CheckSandbox(has) != nil {
			t.Errorf("%s and what is no level", has)
		}
	}
	if !SandboxLevel("").Reaches("") || SandboxLevel("odd").Reaches("odd") || CheckSandbox("") != nil || CodeOf(CheckSandbox("odd")) != CodeInvalid {
		t.Error("what is no level")
	}
}

// TestWithin: a selector that is narrowed means those agents that it meant and that reach the level, and no others.
func TestWithin(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "env=prod", "zone in (a,b),!gpu", "sandbox=full", "sandbox in (filtered,full),env=prod"} {
		s, err := ParseSelector(text)
		if err != nil {
			t.Fatal(err)
		}
		if s.Within("").String() != s.String() || s.Without("").String() != s.String() {
			t.Errorf("%q is narrowed by nothing", text)
		}
		for _, asked := range SandboxLevels {
			narrow := s.Within(asked)
			again, err := ParseSelector(narrow.String())
			if err != nil || again.String() != narrow.String() || !slices.IsSortedFunc(narrow.requirements, requirement.compare) {
				t.Errorf("%q within %s: %q is not canonical (%v)", text, asked, narrow, err)
			}
			if back := narrow.Without(asked); back.String() != s.String() && !strings.Contains(text, "sandbox") {
				t.Errorf("%q within %s and without is %q", text, asked, back)
			}
			for _, has := range append([]SandboxLevel{"", "odd"}, SandboxLevels...) {
				a := Agent{Labels: map[string]string{"env": "prod", "zone": "a", "sandbox": "full"}, Facts: Facts{Sandbox: Sandbox{Level: string(has)}}}
				if got, want := narrow.Match(a.MatchLabels()), s.Match(a.MatchLabels()) && has.Reaches(asked); got != want {
					t.Errorf("%q matches an agent whose sandbox is %q: %v", narrow, has, got)
				}
			}
		}
	}
}
