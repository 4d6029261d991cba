package store

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

func itoa(n int) string { return strconv.Itoa(n) }

// micros is how a time is stored: microseconds UTC, 0 for the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// fromMicros is the reverse of micros.
func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// timeInto scans microseconds into a time.
type timeInto struct{ t *time.Time }

// Scan implements sql.Scanner.
func (i timeInto) Scan(value any) error {
	us, ok := value.(int64)
	if !ok {
		return fmt.Errorf("a time is stored as %T", value)
	}
	*i.t = fromMicros(us)
	return nil
}

// durationInto scans microseconds into a duration.
type durationInto struct{ d *time.Duration }

// Scan implements sql.Scanner.
func (i durationInto) Scan(value any) error {
	us, ok := value.(int64)
	if !ok {
		return fmt.Errorf("a duration is stored as %T", value)
	}
	*i.d = time.Duration(us) * time.Microsecond
	return nil
}

// jsonInto scans JSON text into a value; ” leaves it as it is.
type jsonInto struct{ value any }

// Scan implements sql.Scanner.
func (i jsonInto) Scan(value any) error {
	var raw []byte
	switch v := value.(type) {
	case string:
		raw = []byte(v)
	case []byte:
		raw = v
	}
	if len(raw) == 0 {
		return nil
	}
	return json.Unmarshal(raw, i.value)
}

// rawInto scans JSON text as it is; ” is nil.
type rawInto struct{ raw *json.RawMessage }

// Scan implements sql.Scanner.
func (i rawInto) Scan(value any) error {
	switch v := value.(type) {
	case string:
		*i.raw = json.RawMessage(v)
	case []byte:
		*i.raw = append(json.RawMessage(nil), v...)
	}
	if len(*i.raw) == 0 {
		*i.raw = nil
	}
	return nil
}

// encode returns a value as JSON text; what cannot be encoded is a bug, stored as ”.
func encode(value any) string {
	raw, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	return string(raw)
}

// encodeMap returns a map as JSON text, ” when it is empty.
func encodeMap(m map[string]string) string {
	if len(m) == 0 {
		return ""
	}
	return encode(m)
}

// clean makes text storable everywhere: PostgreSQL refuses NUL and broken UTF-8.
func clean(text string) string {
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\uFFFD")
	}
	if strings.IndexByte(text, 0) >= 0 {
		text = strings.ReplaceAll(text, "\x00", "\uFFFD")
	}
	return text
}

// shorten cuts text to at most n bytes, at a rune's edge.
func shorten(text string, n int) string {
	text = clean(text)
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}
