package catalog

import (
	"slices"
	"strings"
)

// nearest returns at most three names that somebody may have meant: those that
// contain the word or are contained in it, then those few letters away.
func nearest(word string, names []string) []string {
	type candidate struct {
		name     string
		distance int
	}
	word = strings.ToLower(strings.TrimSpace(word))
	if word == "" || len(word) > 100 {
		return nil
	}
	var found []candidate
	for _, name := range names {
		d := distance(word, name)
		if len(word) >= 3 && (strings.Contains(name, word) || strings.Contains(word, name)) {
			d = min(d, 1)
		}
		if d <= max(2, len(word)/3) {
			found = append(found, candidate{name, d})
		}
	}
	slices.SortFunc(found, func(a, b candidate) int {
		if a.distance != b.distance {
			return a.distance - b.distance
		}
		return strings.Compare(a.name, b.name)
	})
	var out []string
	for _, f := range found[:min(3, len(found))] {
		if f.distance == found[0].distance { // no guesses beside a better one
			out = append(out, f.name)
		}
	}
	return out
}

// distance is how many letters to insert, drop, replace or swap with their
// neighbour (optimal string alignment).
func distance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
