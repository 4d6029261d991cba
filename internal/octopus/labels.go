package octopus

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Bounds of labels; a name has at most maxKey bytes, as in a selector.
const (
	maxLabels     = 64
	maxLabelValue = 255 // characters
)

// CheckLabels refuses labels that no selector could name, or that would not show as what they are. A value may be
// empty: a selector writes it as "". The error is CodeInvalid and names the field; it does not repeat the label.
func CheckLabels(labels map[string]string) error {
	if len(labels) > maxLabels {
		return InvalidField("/labels", "There are %d labels; at most %d are allowed.", len(labels), maxLabels)
	}
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if err := checkLabel(name, labels[name]); err != nil {
			return err
		}
	}
	return nil
}

func checkLabel(name, value string) error {
	switch {
	case name == "":
		return InvalidField("/labels", "A label needs a name: labels are key=value, such as env=prod.")
	case len(name) > maxKey || !strings.ContainsRune(firstOfKey, rune(name[0])) || strings.Trim(name, keyAlphabet) != "":
		return InvalidField("/labels", "A label's name begins with a letter, a digit or _ and goes on with those, dots, slashes and dashes, at most %d in all.", maxKey)
	case utf8.RuneCountInString(value) > maxLabelValue:
		return InvalidField("/labels", "A label's value has at most %d characters.", maxLabelValue)
	case !utf8.ValidString(value) || strings.ContainsFunc(value, unseen) || strings.ContainsRune(value, '"'):
		return InvalidField("/labels", "A label's value is one line without control characters and double quotes.")
	}
	return nil
}
