// Package redact takes secrets out of what leaves an execution: its log, its progress, its response. A value is found
// as it is and in the forms in which programs write it down by accident; whoever wants to smuggle it out of the
// sandbox can write it in another one.
package redact

import (
	"bytes"
	"cmp"
	"slices"
	"sync"
)

// MinLength is the length in bytes from which a value is looked for. A shorter one would be found everywhere.
const MinLength = 4

// Redactor replaces the values that an execution received by "[secret name]". The zero value knows none and changes
// nothing. It is safe for concurrent use.
type Redactor struct {
	mu       sync.RWMutex
	known    map[string]string // guarded by mu: name → value
	patterns []pattern         // guarded by mu
	longest  int               // guarded by mu: bytes of the longest pattern
}

// pattern is a form of a value, and what stands in its place.
type pattern struct {
	text  []byte
	token string
}

// Add makes a value known from now on. A value that is too short to be looked for is not.
func (r *Redactor) Add(name, value string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known[name] == value {
		return
	}
	if r.known == nil {
		r.known = map[string]string{}
	}
	r.known[name] = value
	token := "[secret " + name + "]"
	for _, form := range forms(value) {
		if slices.ContainsFunc(r.patterns, func(p pattern) bool { return string(p.text) == form }) {
			continue // the first name that had it is as good
		}
		r.patterns = append(r.patterns, pattern{[]byte(form), token})
		r.longest = max(r.longest, len(form))
	}
}

// Knows reports whether there is anything to look for.
func (r *Redactor) Knows() bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.patterns) > 0
}

// Longest is the length in bytes of the longest form of a value that is looked for.
func (r *Redactor) Longest() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.longest
}

// Text returns text without secrets.
func (r *Redactor) Text(text string) string {
	if !r.Knows() {
		return text
	}
	return string(r.Bytes([]byte(text)))
}

// Bytes returns data without secrets: data itself where there are none.
func (r *Redactor) Bytes(data []byte) []byte {
	found := r.find(data)
	if len(found) == 0 {
		return data
	}
	out := make([]byte, 0, len(data))
	at := 0
	for _, s := range found {
		out = append(out, data[at:s.from]...)
		out = append(out, s.token...)
		at = s.to
	}
	return append(out, data[at:]...)
}

// Head returns the first most bytes of data without secrets. One that begins in them is replaced as a whole.
func (r *Redactor) Head(data []byte, most int) []byte {
	found, end := r.find(data), min(most, len(data))
	var out []byte
	at := 0
	for _, s := range found {
		if s.from >= end {
			break
		}
		out = append(append(out, data[at:s.from]...), s.token...)
		at = s.to
	}
	if out == nil {
		return data[:end]
	}
	return append(out, data[min(at, end):end]...)
}

// span is a part of a text that is to be replaced.
type span struct {
	from, to int
	token    string
}

// find returns what is to be replaced, in order. Occurrences that overlap are one: what one of them leaves over may
// be a part of another.
func (r *Redactor) find(data []byte) []span {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var all []span
	for _, p := range r.patterns {
		for at := 0; ; at++ {
			i := bytes.Index(data[at:], p.text)
			if i < 0 {
				break
			}
			at += i
			all = append(all, span{at, at + len(p.text), p.token})
		}
	}
	return merge(all)
}

// merge puts spans in order and makes one of those that overlap.
func merge(all []span) []span {
	slices.SortFunc(all, func(a, b span) int { return cmp.Or(a.from-b.from, b.to-a.to) })
	merged := all[:0]
	for _, s := range all {
		if n := len(merged); n > 0 && s.from < merged[n-1].to {
			merged[n-1].to = max(merged[n-1].to, s.to)
			continue
		}
		merged = append(merged, s)
	}
	return merged
}

// unfinished is where a secret begins that the end of data cuts off, or len(data). Fewer than MinLength bytes of one
// are no secret yet.
func (r *Redactor) unfinished(data []byte) (at int, token string) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	at = len(data)
	for _, p := range r.patterns {
		for n := min(len(p.text)-1, len(data)); n >= MinLength; n-- {
			if len(data)-n < at && bytes.HasSuffix(data, p.text[:n]) {
				at, token = len(data)-n, p.token
				break
			}
		}
	}
	return at, token
}
