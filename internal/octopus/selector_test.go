package octopus

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var web = map[string]string{"env": "prod", "role": "web", "os": "linux", "arch": "amd64", "name": "web-01", "version": "1.4.2", "gpu": ""}

func TestSelectorsMatch(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"": true, "*": true, "  ": true,
		"env=prod": true, "env==prod": true, "env = prod": true, "env=test": false, "env!=test": true, "env!=prod": false,
		"missing=x": false, "missing!=x": true, "gpu": true, "!gpu": false, "missing": false, "!missing": true, `gpu=""`: true,
		"role in (web,db)": true, "role in (db)": false, "role notin (db, cache)": true, "role notin(web)": false, "missing notin (a)": true,
		"env=prod,role=web": true, "env=prod, role=db": false,
		"name=web-*": true, "name=*-01": true, "name=w?b-0?": true, "name=db-*": false, "name!=db-*": true, "name in (db-*,web-*)": true,
		"version>=1.4": true, "version>1.4.2": false, "version<=1.4.2": true, "version<2": true, "version>1.10": false, "version>=1.4.2-rc.1": true,
		"env>=1": false, "missing<1": false, "version>=v1.4": true, `role="web"`: true, `env in ("prod","a b")`: true,
		"in=x": false, "notin": false, "input!=x": true, "os=linux,arch in (amd64,arm64),!windows": true,
	} {
		s, err := ParseSelector(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if s.Match(web) != want {
			t.Errorf("%q matches %v", text, !want)
		}
	}
}

func TestSelectorsAreRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"=x", "env=", "env in", "env in (", "env in (a", "env in ()", "env=prod role=web", "env=prod,", ",", "env=(", "env<abc", "version>", "-a=b",
		`env="x`, "!", "!=x", "env===x", strings.Repeat("a,", 40) + "a", strings.Repeat("x", 2000), "ä=1", "a in (b) c",
	} {
		if s, err := ParseSelector(text); err == nil {
			t.Errorf("%q is %q", text, s)
		} else if CodeOf(err) != CodeInvalid || !strings.HasSuffix(Sentence(err), ".") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestSelectorsAreCanonical(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "*", "*": "*", "role=web, env=prod": "env=prod,role=web", "env==prod": "env=prod", "a,a,a": "a",
		"role in (web , db,web)": "role in (db,web)", "! gpu": "!gpu", `x="a b"`: `x="a b"`, `x=""`: `x=""`, "v >= 1.2": "v>=1.2",
	} {
		s, err := ParseSelector(text)
		if err != nil || s.String() != want {
			t.Errorf("%q is %q, not %q (%v)", text, s, want, err)
		}
	}
}

func TestGlob(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"*", "", true}, {"**", "x", true}, {"a*b*c", "axxbyyc", true}, {"a*b*c", "axxbyy", false}, {"?", "", false}, {"", "", true}, {"", "x", false},
		{"*ab", "aab", true}, {"a?c", "abc", true}, {"*a*a*a*a*b", strings.Repeat("a", 200), false},
	} {
		if glob(c.pattern, c.s) != c.want {
			t.Errorf("%q on %q: %v", c.pattern, c.s, !c.want)
		}
	}
}

func TestVersionsCompare(t *testing.T) {
	t.Parallel()
	ordered := []string{"0.9", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.2", "1.10", "2", "10.0.1"}
	for i, a := range ordered {
		for j, b := range ordered {
			c, ok := compareVersions(a, b)
			if !ok || (c < 0) != (i < j) || (c > 0) != (i > j) {
				t.Errorf("%s and %s: %d", a, b, c)
			}
		}
	}
	if c, ok := compareVersions("v1.2.0+build", "1.2"); !ok || c != 0 {
		t.Error("v and build count")
	}
	for _, v := range []string{"", "x", "1..2", "1.x", "latest"} {
		if _, ok := compareVersions(v, "1"); ok {
			t.Errorf("%q is a version", v)
		}
	}
}

// TestCanonicalMeansTheSame: however labels are chosen, a selector and its canonical form agree, and the canonical
// form is its own.
func TestCanonicalMeansTheSame(t *testing.T) {
	t.Parallel()
	value := rapid.SampledFrom([]string{"a", "b", "1.2", "x*", `"a b"`, `""`, "w?"})
	key := rapid.SampledFrom([]string{"env", "role", "v"})
	one := rapid.Custom(func(t *rapid.T) string {
		k := key.Draw(t, "key")
		switch rapid.IntRange(0, 5).Draw(t, "form") {
		case 0:
			return k
		case 1:
			return "!" + k
		case 2:
			return k + " in (" + value.Draw(t, "v") + " ," + value.Draw(t, "v") + ")"
		case 3:
			return k + " != " + value.Draw(t, "v")
		case 4:
			return k + ">=1.2"
		}
		return k + "=" + value.Draw(t, "v")
	})
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(one, 0, 5).Draw(t, "selector"), ", ")
		s, err := ParseSelector(text)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseSelector(s.String())
		if err != nil || again.String() != s.String() {
			t.Fatalf("%q became %q became %q: %v", text, s, again, err)
		}
		labels := rapid.MapOf(key, rapid.SampledFrom([]string{"a", "b", "1.2", "1.10", "xyz", "a b", ""})).Draw(t, "labels")
		if s.Match(labels) != again.Match(labels) {
			t.Fatalf("%q and %q disagree on %v", text, s, labels)
		}
	})
}

func FuzzParseSelector(f *testing.F) {
	for _, s := range []string{"", "*", "env=prod,role in (web,db)", "!a,b,c!=d", `x="y z"`, "v>=1.2-rc.1", "a notin(b)", "in", "a in", "((", "a=*?*"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSelector(text)
		if err != nil {
			if CodeOf(err) != CodeInvalid {
				t.Fatal(err)
			}
			return
		}
		canonical := s.String()
		again, err := ParseSelector(canonical)
		if err != nil && len(canonical) <= MaxSelector {
			t.Fatalf("%q: canonical %q: %v", text, canonical, err)
		}
		if err == nil && again.String() != canonical {
			t.Fatalf("%q: %q is not its own canonical form: %q", text, canonical, again)
		}
		s.Match(web)
	})
}

func TestMatchLabels(t *testing.T) {
	t.Parallel()
	a := Agent{Name: "web-01", Labels: map[string]string{"env": "prod", "os": "forged", "sandbox": "forged"},
		Facts: Facts{OS: "linux", Arch: "arm64", AgentVersion: "1.2.3", Sandbox: Sandbox{Level: "full"}, Labels: map[string]string{"env": "test", "rack": "7"}}}
	got := a.MatchLabels()
	for k, v := range map[string]string{"env": "prod", "rack": "7", "os": "linux", "arch": "arm64", "name": "web-01", "version": "1.2.3", "sandbox": "full"} {
		if got[k] != v {
			t.Errorf("%s is %q, not %q", k, got[k], v)
		}
	}
}
