package settings

import "strings"

// Nearest is the word that was probably meant: the last part in another section, or a few letters away. "" where
// nothing is near.
func Nearest(word string, known []string) string {
	if len(word) > 200 {
		return ""
	}
	best, least := "", max(2, len(word)/4)+1
	for _, k := range known {
		d := distance(word, k)
		if last(word) == last(k) {
			d = min(d, 1)
		}
		if d < least {
			best, least = k, d
		}
	}
	return best
}

func last(key string) string { return key[strings.LastIndex(key, ".")+1:] }

// distance is how many letters to insert, drop or replace.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
