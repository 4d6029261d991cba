package spec

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// keys is a set that allocates nothing for the few keys of a usual object.
type keys struct {
	few [8]string
	n   int
	// total counts for MaxKeys.
	total int
	many  map[string]struct{}
}

// add says whether key is new.
func (k *keys) add(key string) bool {
	k.total++
	if k.many != nil {
		if _, ok := k.many[key]; ok {
			return false
		}
		k.many[key] = struct{}{}
		return true
	}
	for _, have := range k.few[:k.n] {
		if have == key {
			return false
		}
	}
	if k.n < len(k.few) {
		k.few[k.n] = key
		k.n++
		return true
	}
	k.many = map[string]struct{}{key: {}}
	for _, have := range k.few {
		k.many[have] = struct{}{}
	}
	return true
}

// members returns the members of an object that scan has accepted, or nil.
func members(object []byte) []member {
	if len(object) == 0 || object[0] != '{' {
		return nil
	}
	var list []member
	s := scanner{raw: object}
	s.object(func(m member) { list = append(list, m) })
	return list
}

// elements returns the first elements of an array that scan has accepted, at
// most so many, and how many there are.
func elements(array []byte, most int) (list []member, n int) {
	s := scanner{raw: array}
	s.array(func(m member) {
		if n++; n <= most {
			list = append(list, m)
		}
	})
	return list, n
}

// quoted shows the first line of text, short and printable, in backquotes.
func quoted(text []byte) string {
	const most = 40
	line := string(text[:min(len(text), 4*most)])
	line, _, _ = strings.Cut(strings.TrimLeft(line, " \t\r\n"), "\n")
	line = strings.Map(func(r rune) rune {
		if r < ' ' || r == utf8.RuneError || r == 0x7f || r == '`' || r >= 0x80 && r < 0xa0 ||
			r >= 0x200b && r <= 0x200f || r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0xfeff {
			return '?'
		}
		return r
	}, strings.TrimRight(line, "\r "))
	if runes := []rune(line); len(runes) > most {
		line = string(runes[:most]) + "…"
	}
	return fmt.Sprintf("`%s`", line)
}
