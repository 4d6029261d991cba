package settings

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Layers are what lies over the defaults.
type Layers struct {
	// Profile was asked for, by its name. Defaults to the one that the file names.
	Profile string
	// Standard is the profile where nobody asked for one.
	Standard string
	// Profiles are the YAML texts of those that there are, by name.
	Profiles map[string][]byte
	// File is the path of a YAML file. Defaults to none.
	File string
	// Env reads the environment. Defaults to an empty one.
	Env func(name string) (string, bool)
}

// Problems are all that is wrong, a sentence each.
type Problems []error

// Error is one sentence, or a list after a line that counts them.
func (p Problems) Error() string {
	if len(p) == 1 {
		return p[0].Error()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d settings are wrong:", len(p))
	for _, err := range p {
		b.WriteString("\n  " + err.Error())
	}
	return b.String()
}

// Unwrap lets errors.Is and As look at each.
func (p Problems) Unwrap() []error { return p }

// Join collects problems; errors of errors.Join are taken apart. It returns nil where there are none.
func Join(list ...error) error {
	var all Problems
	for _, err := range list {
		switch many := err.(type) { //nolint:errorlint // only what was joined is taken apart
		case nil:
		case interface{ Unwrap() []error }:
			all = append(all, many.Unwrap()...)
		default:
			all = append(all, err)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all
}

// Resolve fills the struct from all layers and returns the name of the profile. The error is [Problems]; what could
// be read is filled in nevertheless.
func (s *Set) Resolve(l Layers) (profile string, err error) {
	var problems []error
	var file document
	if l.File != "" {
		if file, err = readFile(l.File); err != nil {
			problems = append(problems, err)
		}
	}
	profile = firstOf(l.Profile, file.profile, l.Standard)
	if text, ok := l.Profiles[profile]; ok {
		d, err := parse(profile, text)
		problems = append(problems, err, s.apply(d, "profile"))
	} else if profile != "" {
		problems = append(problems, fmt.Errorf("There is no profile %q; there are %s.", profile, names(l.Profiles)))
	}
	problems = append(problems, s.apply(file, "file"))
	if l.Env != nil {
		problems = append(problems, s.applyEnvironment(l.Env))
	}
	for _, x := range s.list {
		if x.given == nil {
			continue
		}
		x.origin = Origin{"flag", "--" + x.Flag}
		if err := assign(x.field, split(x.field, x.given)); err != nil {
			problems = append(problems, fmt.Errorf("--%s %w.", x.Flag, err))
		}
	}
	return profile, Join(problems...)
}

// apply fills in what a file says.
func (s *Set) apply(d document, layer string) error {
	var problems []error
	first := map[string]int{}
	for _, e := range d.values {
		x := s.byKey[e.key]
		line, again := first[e.key]
		first[e.key] = e.line
		switch {
		case again:
			problems = append(problems, fmt.Errorf("%s: %s stands in line %d too.", d.at(e), e.key, line))
		case x == nil && !slices.Contains(s.Also, e.key):
			problems = append(problems, fmt.Errorf("%s: there is no key %s%s", d.at(e), e.key, s.suggest(e.key)))
		case x == nil || e.words == nil && e.err == nil:
		case e.err != nil:
			problems = append(problems, fmt.Errorf("%s: %s %w.", d.at(e), e.key, e.err))
		default:
			if err := assign(x.field, e.words); err != nil {
				problems = append(problems, fmt.Errorf("%s: %s %w.", d.at(e), e.key, err))
			}
			x.origin = Origin{layer, d.at(e)}
			if layer == "profile" {
				x.origin.Detail = d.name
			}
		}
	}
	return errors.Join(problems...)
}

func (s *Set) applyEnvironment(env func(string) (string, bool)) error {
	var problems []error
	for _, x := range s.list {
		word, ok := env(x.Variable())
		if !ok || word == "" {
			continue
		}
		if err := assign(x.field, split(x.field, []string{word})); err != nil {
			problems = append(problems, fmt.Errorf("%s %w.", x.Variable(), err))
		}
		x.origin = Origin{"environment", x.Variable()}
	}
	return errors.Join(problems...)
}

// suggest names the key that was probably meant.
func (s *Set) suggest(key string) string {
	if near := Nearest(key, append(s.Keys(), s.Also...)); near != "" {
		return "; did you mean " + near + "?"
	}
	return ": octopus config show lists them."
}

func firstOf(words ...string) string {
	for _, w := range words {
		if w != "" {
			return w
		}
	}
	return ""
}

func names(profiles map[string][]byte) string {
	var list []string
	for name := range profiles {
		list = append(list, name)
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}
