package settings

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// assign puts words into a field. The error begins with "must be", and says nothing of the words where they may be
// secret.
func assign(field reflect.Value, words []string) error {
	switch v := field.Addr().Interface().(type) {
	case *[]string:
		*v = words
		return nil
	case *[]netip.Prefix:
		return assignPrefixes(v, words)
	case *map[string]string:
		return assignPairs(v, words)
	}
	if len(words) != 1 {
		return fmt.Errorf("must be one %s, not a list", kindOf(field))
	}
	word := words[0]
	switch v := field.Addr().Interface().(type) {
	case *string:
		*v = word
	case *bool:
		b, err := strconv.ParseBool(word)
		if err != nil {
			return fmt.Errorf("must be true or false, not %q", word)
		}
		*v = b
	case *int:
		n, err := strconv.Atoi(word)
		if err != nil {
			return fmt.Errorf("must be a whole number, not %q", word)
		}
		*v = n
	case *int64:
		n, err := parseSize(word)
		if err != nil {
			return err
		}
		*v = n
	case *time.Duration:
		d, err := parseDuration(word)
		if err != nil {
			return err
		}
		*v = d
	default:
		panic(fmt.Sprintf("a setting cannot be of type %s", field.Type()))
	}
	return nil
}

func assignPrefixes(to *[]netip.Prefix, words []string) error {
	list := make([]netip.Prefix, 0, len(words))
	for _, w := range words {
		p, err := netip.ParsePrefix(w)
		if addr, addrErr := netip.ParseAddr(w); err != nil && addrErr == nil {
			p, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil {
			return fmt.Errorf("must be networks such as 10.0.0.0/8, not %q", w)
		}
		list = append(list, p)
	}
	*to = list
	return nil
}

func assignPairs(to *map[string]string, words []string) error {
	pairs := make(map[string]string, len(words))
	for _, w := range words {
		k, v, ok := strings.Cut(w, "=")
		if !ok || k == "" {
			return fmt.Errorf("must look like key=value, not %q", w)
		}
		pairs[k] = v
	}
	*to = pairs
	return nil
}

// split breaks words at commas where the field takes several.
func split(field reflect.Value, words []string) []string {
	switch field.Kind() {
	case reflect.Slice, reflect.Map:
		var out []string
		for _, w := range words {
			for part := range strings.SplitSeq(w, ",") {
				if part = strings.TrimSpace(part); part != "" {
					out = append(out, part)
				}
			}
		}
		return out
	}
	if len(words) > 1 {
		return words[len(words)-1:] // a flag that is given twice: the last one counts
	}
	return words
}

// format is the reverse of assign.
func format(field reflect.Value) string {
	switch v := field.Interface().(type) {
	case time.Duration:
		return Duration(v)
	case int64:
		return formatSize(v)
	case []string:
		return strings.Join(v, ",")
	case []netip.Prefix:
		words := make([]string, len(v))
		for i, p := range v {
			words[i] = p.String()
		}
		return strings.Join(words, ",")
	case map[string]string:
		var words []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			words = append(words, k+"="+v[k])
		}
		return strings.Join(words, ",")
	}
	return fmt.Sprint(field.Interface())
}

// kindOf is what a field takes, in a word.
func kindOf(field reflect.Value) string {
	switch field.Interface().(type) {
	case bool:
		return "bool"
	case int:
		return "number"
	case int64:
		return "size"
	case time.Duration:
		return "duration"
	case []netip.Prefix:
		return "networks"
	case []string:
		return "words"
	case map[string]string:
		return "k=v"
	}
	return "text"
}

const day = 24 * time.Hour

// parseDuration reads 90s, 15m, 24h, and 30d or 1d12h besides.
func parseDuration(word string) (time.Duration, error) {
	wrong := fmt.Errorf("must be a duration such as 90s, 15m, 24h or 30d, not %q", word)
	days, rest, found := strings.Cut(word, "d")
	if !found {
		days, rest = "0", word
	}
	n, err := strconv.ParseUint(days, 10, 32)
	if err != nil || time.Duration(n) > math.MaxInt64/day {
		return 0, wrong
	}
	d := time.Duration(n) * day
	if rest == "" && found {
		return d, nil
	}
	more, err := time.ParseDuration(rest)
	if err != nil || found && more < 0 || d > math.MaxInt64-max(more, 0) {
		return 0, wrong
	}
	return d + more, nil
}

// Duration writes 30d, 1h30m or 90ms, without units that are nothing.
func Duration(d time.Duration) string {
	if d > 0 && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// units of sizes, the largest first.
func units() []struct {
	name  string
	bytes int64
} {
	return []struct {
		name  string
		bytes int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1}}
}

func parseSize(word string) (int64, error) {
	wrong := fmt.Errorf("must be a size such as 512KiB, 64MiB or 1GiB, not %q", word)
	number, factor := strings.TrimSpace(word), int64(1)
	for _, u := range units() {
		if n, ok := strings.CutSuffix(number, u.name); ok {
			number, factor = strings.TrimSpace(n), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/factor {
		return 0, wrong
	}
	return n * factor, nil
}

func formatSize(n int64) string {
	for _, u := range units()[:3] {
		if n >= u.bytes && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

// hidden stands for a secret.
const hidden = "••••••"

// mask hides a secret, or the password in a URL. What cannot be read as a URL may hold one anywhere.
func mask(secret, value string) string {
	switch {
	case secret == "" || value == "":
		return value
	case secret == "url" && !strings.Contains(value, "://") && !strings.Contains(strings.ToLower(value), "password"):
		return value // a path
	case secret == "url" && strings.Contains(value, "://"):
		if safe, err := maskURL(value); err == nil {
			return safe
		}
	}
	return hidden
}

func maskURL(value string) (string, error) {
	u, err := url.Parse(value)
	if err != nil {
		return "", errors.New("not a URL")
	}
	query := u.Query()
	for name := range query {
		if strings.Contains(strings.ToLower(name), "password") {
			query.Set(name, "xxxxx")
		}
	}
	if len(query) > 0 {
		u.RawQuery = query.Encode()
	}
	return u.Redacted(), nil
}
