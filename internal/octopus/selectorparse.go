package octopus

import (
	"slices"
	"strings"
)

// ParseSelector reads requirements separated by commas: key=value, key!=value, key in (a,b), key notin (a,b), key
// (it exists), !key (it does not), key<1.2, <=, >, >= (as versions). Values may use * and ?, and stand in double
// quotes where they hold spaces or punctuation. "" and "*" match everything. The error is CodeInvalid.
func ParseSelector(text string) (Selector, error) {
	if len(text) > MaxSelector {
		return Selector{}, Errorf(CodeInvalid, "The selector is %d bytes long; at most %d are allowed.", len(text), MaxSelector)
	}
	if trimmed := strings.TrimSpace(text); trimmed == "" || trimmed == everything {
		return Selector{}, nil
	}
	p := selectorParser{rest: text}
	list := p.requirements()
	if p.problem != "" {
		return Selector{}, Errorf(CodeInvalid, "The selector is wrong: %s. Write requirements such as env=prod,role in (web,db).", p.problem)
	}
	slices.SortFunc(list, requirement.compare)
	return Selector{requirements: slices.CompactFunc(list, func(a, b requirement) bool { return a.compare(b) == 0 })}, nil
}

func (r requirement) compare(o requirement) int {
	if c := strings.Compare(r.key, o.key); c != 0 {
		return c
	}
	if c := strings.Compare(string(r.op), string(o.op)); c != 0 {
		return c
	}
	return slices.Compare(r.values, o.values)
}

// selectorParser eats rest from the left; the first problem wins.
type selectorParser struct {
	rest    string
	problem string
}

func (p *selectorParser) fail(problem string) {
	if p.problem == "" {
		p.problem = problem
	}
}

func (p *selectorParser) space() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

// take eats token if it comes next.
func (p *selectorParser) take(token string) bool {
	p.space()
	rest, ok := strings.CutPrefix(p.rest, token)
	if ok {
		p.rest = rest
	}
	return ok
}

func (p *selectorParser) requirements() (list []requirement) {
	for p.problem == "" {
		if list = append(list, p.requirement()); len(list) > maxRequirements {
			p.fail("it has more than 32 requirements")
		}
		if !p.take(",") {
			break
		}
	}
	if p.space(); p.rest != "" {
		p.fail("a comma is missing between two requirements")
	}
	return list
}

func (p *selectorParser) requirement() requirement {
	if p.take("!") {
		return requirement{key: p.key(), op: opAbsent}
	}
	key := p.key()
	// Longer operators first, so that <= is not read as <.
	for _, o := range []struct {
		token string
		op    operator
	}{{"==", opEqual}, {"!=", opNot}, {"<=", opAtMost}, {">=", opAtLeast}, {"=", opEqual}, {"<", opLess}, {">", opMore}} {
		if p.take(o.token) {
			return p.comparison(key, o.op)
		}
	}
	if p.word("notin") {
		return requirement{key: key, op: opNotIn, values: p.set()}
	}
	if p.word("in") {
		return requirement{key: key, op: opIn, values: p.set()}
	}
	return requirement{key: key, op: opExists}
}

func (p *selectorParser) comparison(key string, op operator) requirement {
	value := p.value()
	if op != opEqual && op != opNot {
		if _, _, ok := splitVersion(value); !ok {
			p.fail("<, <=, > and >= compare versions such as 1.2.3")
		}
	}
	return requirement{key: key, op: op, values: []string{value}}
}

// word eats a keyword that a parenthesis or a space follows, so that a label may be called "input".
func (p *selectorParser) word(w string) bool {
	p.space()
	rest, ok := strings.CutPrefix(p.rest, w)
	if !ok || rest == "" || !strings.ContainsRune(" \t\r\n(", rune(rest[0])) {
		return false
	}
	p.rest = rest
	return true
}

func (p *selectorParser) set() (values []string) {
	if !p.take("(") {
		p.fail("in and notin need values in parentheses")
		return nil
	}
	for p.problem == "" {
		if values = append(values, p.value()); len(values) > maxSet {
			p.fail("a set has more than 64 values")
		}
		if p.take(")") {
			slices.Sort(values)
			return slices.Compact(values)
		}
		if !p.take(",") {
			p.fail("a parenthesis is not closed")
		}
	}
	return values
}

func (p *selectorParser) key() string {
	p.space()
	key := p.rest[:len(p.rest)-len(strings.TrimLeft(p.rest, keyAlphabet))]
	p.rest = p.rest[len(key):]
	switch {
	case key == "" || !strings.ContainsRune(firstOfKey, rune(key[0])):
		p.fail("a label's name is missing where one should be")
	case len(key) > maxKey:
		p.fail("a label's name is too long")
	}
	return key
}

func (p *selectorParser) value() string {
	p.space()
	if rest, ok := strings.CutPrefix(p.rest, `"`); ok {
		value, after, closed := strings.Cut(rest, `"`)
		if !closed {
			p.fail("a quote is not closed")
		}
		p.rest = after
		return value
	}
	end := strings.IndexAny(p.rest, valueStops)
	if end < 0 {
		end = len(p.rest)
	}
	value := p.rest[:end]
	if p.rest = p.rest[end:]; value == "" {
		p.fail(`a value is missing; write "" for an empty one`)
	}
	return value
}
