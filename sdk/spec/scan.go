package spec

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// Bounds of the JSON that this package decodes: how deep it nests, and how
// many keys one object has. The second one bounds the memory that finding
// duplicate keys takes.
const (
	MaxDepth = 128
	MaxKeys  = 50_000
)

// member is one key of an object, with its value's bytes and where they are.
type member struct {
	key    string
	value  []byte
	offset int64
}

// scanner checks JSON the way that encoding/json does not: duplicate keys,
// depth, and the offset of what is wrong. It keeps nothing.
type scanner struct {
	raw   []byte
	pos   int
	depth int
}

// scanError is what is wrong, and where.
type scanError struct {
	offset int
	text   string
}

func (e *scanError) Error() string { return e.text }

// fail panics with a scanError; scan recovers it. It keeps the descent free
// of error plumbing, as encoding/json's own scanner does.
func (s *scanner) fail(offset int, format string, args ...any) {
	panic(&scanError{offset, fmt.Sprintf(format, args...)})
}

// scan checks one JSON value at the start of raw and returns where it ends.
func scan(raw []byte) (end int, err *scanError) {
	if bad := invalidUTF8(raw); bad >= 0 {
		return 0, &scanError{bad, "is not UTF-8"}
	}
	s := scanner{raw: raw}
	defer func() {
		switch e := recover().(type) {
		case nil:
		case *scanError:
			err = e
		default:
			panic(e)
		}
	}()
	s.space()
	s.value()
	return s.pos, nil
}

// invalidUTF8 is the offset of the first byte that is not UTF-8, or -1.
func invalidUTF8(raw []byte) int {
	if utf8.Valid(raw) {
		return -1
	}
	for i := 0; i < len(raw); {
		r, n := utf8.DecodeRune(raw[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

func (s *scanner) space() {
	for s.pos < len(s.raw) {
		switch s.raw[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

func (s *scanner) peek() byte {
	if s.pos >= len(s.raw) {
		s.fail(s.pos, "ends too early")
	}
	return s.raw[s.pos]
}

func (s *scanner) value() {
	switch c := s.peek(); {
	case c == '{':
		s.object(nil)
	case c == '[':
		s.array(nil)
	case c == '"':
		s.text()
	case c == '-' || '0' <= c && c <= '9':
		s.number()
	case c == 't':
		s.word("true")
	case c == 'f':
		s.word("false")
	case c == 'n':
		s.word("null")
	default:
		s.fail(s.pos, "has %s where a value should be", quoted(s.raw[s.pos:]))
	}
}

func (s *scanner) word(w string) {
	if len(s.raw)-s.pos < len(w) || string(s.raw[s.pos:s.pos+len(w)]) != w {
		s.fail(s.pos, "has %s where a value should be", quoted(s.raw[s.pos:]))
	}
	s.pos += len(w)
}

func (s *scanner) enter() {
	s.depth++
	if s.depth > MaxDepth {
		s.fail(s.pos, "is nested more than %d deep", MaxDepth)
	}
	s.pos++
	s.space()
}

func (s *scanner) object(each func(member)) {
	var seen keys
	s.enter()
	for first := true; s.peek() != '}'; first = false {
		if !first {
			s.comma('}')
		}
		at := s.pos
		key := s.text()
		if !seen.add(key) {
			s.fail(at, "has the key %s twice", quoted([]byte(key)))
		}
		if seen.total > MaxKeys {
			s.fail(at, "has an object with more than %d keys", MaxKeys)
		}
		s.space()
		if s.peek() != ':' {
			s.fail(s.pos, "has %s where a colon should be", quoted(s.raw[s.pos:]))
		}
		s.pos++
		s.space()
		start := s.pos
		s.value()
		if each != nil {
			each(member{key, s.raw[start:s.pos], int64(start)})
		}
		s.space()
	}
	s.pos++
	s.depth--
}

func (s *scanner) array(each func(member)) {
	s.enter()
	for first := true; s.peek() != ']'; first = false {
		if !first {
			s.comma(']')
		}
		start := s.pos
		s.value()
		if each != nil {
			each(member{"", s.raw[start:s.pos], int64(start)})
		}
		s.space()
	}
	s.pos++
	s.depth--
}

func (s *scanner) comma(closing byte) {
	if s.peek() != ',' {
		s.fail(s.pos, "has %s where a comma or %q should be", quoted(s.raw[s.pos:]), closing)
	}
	s.pos++
	s.space()
	if s.peek() == closing {
		s.fail(s.pos, "has a comma before %q", closing)
	}
}

// text reads a string and returns it unescaped.
func (s *scanner) text() string {
	start, escaped := s.pos, false
	if s.peek() != '"' {
		s.fail(s.pos, "has %s where a string should be", quoted(s.raw[s.pos:]))
	}
	for s.pos++; ; s.pos++ {
		switch c := s.peek(); {
		case c == '"':
			s.pos++
			if !escaped {
				return string(s.raw[start+1 : s.pos-1])
			}
			var text string
			if json.Unmarshal(s.raw[start:s.pos], &text) != nil {
				s.fail(start, "has a string with a wrong escape")
			}
			return text
		case c == '\\':
			escaped = true
			s.pos++
			s.peek()
		case c < ' ':
			s.fail(s.pos, "has a control character within a string")
		}
	}
}

func (s *scanner) digits() {
	if c := s.peek(); c < '0' || c > '9' {
		s.fail(s.pos, "has a wrong number")
	}
	for s.pos < len(s.raw) && '0' <= s.raw[s.pos] && s.raw[s.pos] <= '9' {
		s.pos++
	}
}

func (s *scanner) number() {
	start := s.pos
	if s.raw[s.pos] == '-' {
		s.pos++
	}
	if s.peek() == '0' {
		s.pos++
	} else {
		s.digits()
	}
	if s.pos < len(s.raw) && s.raw[s.pos] == '.' {
		s.pos++
		s.digits()
	}
	if s.pos < len(s.raw) && s.raw[s.pos]|0x20 == 'e' {
		s.pos++
		if c := s.peek(); c == '+' || c == '-' {
			s.pos++
		}
		s.digits()
	}
	if s.pos-start > 400 {
		s.fail(start, "has a number that is too long")
	}
}
