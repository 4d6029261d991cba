package octopus

import (
	"cmp"
	"slices"
	"strings"
)

// Bounds of a selector.
const (
	MaxSelector     = 1000 // bytes
	maxRequirements = 32
)

// Selector says which agents a target means: requirements on labels, all of which must hold. The zero value
// matches everything.
//
//	env=prod, role in (web,db), name=web-*, !gpu, version>=1.2
type Selector struct{ requirements []requirement }

// operator is how a requirement compares.
type operator string

// The operators, as they are written.
const (
	opEqual   operator = "="
	opNot     operator = "!="
	opIn      operator = "in"
	opNotIn   operator = "notin"
	opExists  operator = "exists"
	opAbsent  operator = "!"
	opLess    operator = "<"
	opAtMost  operator = "<="
	opMore    operator = ">"
	opAtLeast operator = ">="
)

// How selectors are spelled.
const (
	everything  = "*"
	digits      = "0123456789"
	firstOfKey  = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_" + digits
	keyAlphabet = firstOfKey + "./-"
	valueStops  = " \t\n\r,()=!<>\""
	maxKey      = 253 // bytes
	maxSet      = 64  // values of in and notin
)

// requirement is one condition on one label.
type requirement struct {
	key    string
	op     operator
	values []string // sorted; one for comparisons, none for exists and absent
}

// Match reports whether labels meet every requirement. A label that is absent meets !=, notin and ! only.
func (s Selector) Match(labels map[string]string) bool {
	for _, r := range s.requirements {
		if !r.match(labels) {
			return false
		}
	}
	return true
}

func (r requirement) match(labels map[string]string) bool {
	value, present := labels[r.key]
	switch r.op {
	case opExists:
		return present
	case opAbsent:
		return !present
	case opEqual, opIn:
		return present && r.oneOf(value)
	case opNot, opNotIn:
		return !present || !r.oneOf(value)
	}
	return present && r.ordered(value)
}

func (r requirement) oneOf(value string) bool {
	return slices.ContainsFunc(r.values, func(pattern string) bool { return glob(pattern, value) })
}

// ordered compares as versions. What is no version is neither less nor more.
func (r requirement) ordered(value string) bool {
	c, ok := compareVersions(value, r.values[0])
	if !ok {
		return false
	}
	switch r.op {
	case opLess:
		return c < 0
	case opAtMost:
		return c <= 0
	case opMore:
		return c > 0
	}
	return c >= 0
}

// glob matches * (any run of characters) and ? (any one), case-sensitively, in linear space and without
// backtracking over more than one star.
func glob(pattern, s string) bool {
	star, mark := -1, 0
	p, i := 0, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p, i = p+1, i+1
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// compareVersions compares dotted numbers with an optional v before and an optional pre-release after a dash;
// missing parts are 0. ok is false where either is no version.
func compareVersions(a, b string) (c int, ok bool) {
	a, preA, okA := splitVersion(a)
	b, preB, okB := splitVersion(b)
	if !okA || !okB {
		return 0, false
	}
	partsA, partsB := strings.Split(a, "."), strings.Split(b, ".")
	for i := range max(len(partsA), len(partsB)) {
		if c := compareNumbers(part(partsA, i), part(partsB, i)); c != 0 {
			return c, true
		}
	}
	switch {
	case preA == preB:
		return 0, true
	case preA == "":
		return 1, true
	case preB == "":
		return -1, true
	}
	return comparePre(preA, preB), true
}

func part(parts []string, i int) string {
	if i < len(parts) {
		return parts[i]
	}
	return "0"
}

func splitVersion(v string) (numbers, pre string, ok bool) {
	v, _, _ = strings.Cut(strings.TrimPrefix(v, "v"), "+")
	numbers, pre, _ = strings.Cut(v, "-")
	for p := range strings.SplitSeq(numbers, ".") {
		if p == "" || strings.Trim(p, digits) != "" {
			return "", "", false
		}
	}
	return numbers, pre, true
}

// compareNumbers compares decimal digits of any length.
func compareNumbers(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

// comparePre compares pre-releases as semver does: numbers as numbers, before words.
func comparePre(a, b string) int {
	partsA, partsB := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(partsA), len(partsB)) {
		pa, pb := partsA[i], partsB[i]
		numA, numB := strings.Trim(pa, digits) == "", strings.Trim(pb, digits) == ""
		var c int
		switch {
		case numA && numB:
			c = compareNumbers(pa, pb)
		case numA:
			c = -1
		case numB:
			c = 1
		default:
			c = strings.Compare(pa, pb)
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(len(partsA), len(partsB))
}

// String is the canonical form: the same for every way to write the same requirements, and "*" for none. Two
// selectors with one canonical form match the same agents, so it names a pool.
func (s Selector) String() string {
	if len(s.requirements) == 0 {
		return everything
	}
	var b strings.Builder
	for i, r := range s.requirements {
		if i > 0 {
			b.WriteByte(',')
		}
		r.write(&b)
	}
	return b.String()
}

func (r requirement) write(b *strings.Builder) {
	switch r.op {
	case opExists:
		b.WriteString(r.key)
	case opAbsent:
		b.WriteString("!" + r.key)
	case opIn, opNotIn:
		b.WriteString(r.key + " " + string(r.op) + " (")
		for i, v := range r.values {
			if i > 0 {
				b.WriteByte(',')
			}
			writeValue(b, v)
		}
		b.WriteByte(')')
	default:
		b.WriteString(r.key + string(r.op))
		writeValue(b, r.values[0])
	}
}

func writeValue(b *strings.Builder, v string) {
	if v != "" && !strings.ContainsAny(v, valueStops) {
		b.WriteString(v)
		return
	}
	b.WriteString(`"` + v + `"`)
}

// MatchLabels are what a selector sees of an agent: the labels that the server keeps, those of the agent's owner
// beneath them, and the built-in os, arch, name, version and sandbox, which nobody can forge.
func (a Agent) MatchLabels() map[string]string {
	labels := make(map[string]string, len(a.Labels)+len(a.Facts.Labels)+5)
	for k, v := range a.Facts.Labels {
		labels[k] = v
	}
	for k, v := range a.Labels {
		labels[k] = v
	}
	labels["os"], labels["arch"] = a.Facts.OS, a.Facts.Arch
	labels["name"], labels["version"], labels[labelSandbox] = a.Name, a.Facts.AgentVersion, a.Facts.Sandbox.Level
	return labels
}
