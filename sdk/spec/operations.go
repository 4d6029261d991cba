package spec

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// MaxTTL is the longest ttl_seconds of a cache operation: 30 days.
const MaxTTL = 30 * 24 * 3600

func (d *decoder) data(m member) {
	if m.value[0] != '[' {
		d.fail(m.offset, "The response's data must be an array of operations, but is %s.", quoted(m.value))
		return
	}
	list, n := elements(m.value, MaxOperations)
	if n > MaxOperations {
		d.fail(m.offset, "The response has %d data operations; at most %d are allowed.", n, MaxOperations)
		return
	}
	seen := make(map[string]struct{}, len(list))
	for i, e := range list {
		e.offset += m.offset
		op := d.operation(i, e)
		if d.err != nil {
			return
		}
		key := op.Type + "\x00" + op.Name
		if op.Type == OpFile {
			key = strings.ToLower(key) // one file on Windows and macOS
		}
		if _, ok := seen[key]; ok {
			d.fail(e.offset, "The response's data[%d] repeats the %s %q; each name may appear once.", i, op.Type, op.Name)
			return
		}
		seen[key] = struct{}{}
		d.out.Data = append(d.out.Data, op)
	}
}

func (d *decoder) operation(i int, m member) (op Operation) {
	if m.value[0] != '{' {
		d.fail(m.offset, "The response's data[%d] must be an object with type, name and value, but is %s.", i, quoted(m.value))
		return op
	}
	has := false
	for _, e := range members(m.value) {
		e.offset += m.offset
		what := fmt.Sprintf("data[%d].%s", i, e.key)
		switch e.key {
		case "type":
			op.Type = d.text(e, what, MaxName)
		case "name":
			op.Name = d.text(e, what, MaxName)
		case "value":
			has = true
			op.Value = json.RawMessage(bytes.Clone(e.value))
		case "encoding":
			op.Encoding = d.text(e, what, MaxName)
		case "ttl_seconds":
			v, err := strconv.Atoi(string(e.value))
			if err != nil || v < 1 || v > MaxTTL {
				d.fail(e.offset, "The response's %s must be a whole number of seconds from 1 to %d, but is %s.", what, MaxTTL, quoted(e.value))
			}
			op.TTLSeconds = v
		default:
			d.fail(e.offset, "The response's data[%d] has the unknown field %s; an operation has type, name, value, ttl_seconds and encoding.", i, quoted([]byte(e.key)))
		}
	}
	if !has {
		d.fail(m.offset, "The response's data[%d] has no value.", i)
	}
	if err := op.check(); err != "" {
		d.fail(m.offset, "The response's data[%d] %s", i, err)
	}
	return op
}

// check returns the rest of a sentence, or nothing.
func (o Operation) check() string {
	switch o.Type {
	case OpCache, OpDB:
		if why := badName(o.Name); why != "" {
			return why
		}
		if o.Encoding != "" {
			return "has an encoding, which only files have."
		}
	case OpFile:
		if why := BadFileName(o.Name); why != "" {
			return why
		}
		if _, err := o.FileBytes(); err != nil {
			return err.Error()
		}
	case "":
		return "has no type. The types are cache, file and db."
	default:
		return fmt.Sprintf("has the unknown type %s. The types are cache, file and db.", quoted([]byte(o.Type)))
	}
	if o.TTLSeconds != 0 && o.Type != OpCache {
		return "has ttl_seconds, which only cache entries have."
	}
	return ""
}

// FileBytes is what a file operation writes. Without an encoding a string is
// written as it is and anything else as JSON. The error is the rest of a
// sentence that begins with the operation.
func (o Operation) FileBytes() ([]byte, error) {
	var text string
	isText := len(o.Value) > 0 && o.Value[0] == '"' && json.Unmarshal(o.Value, &text) == nil
	switch o.Encoding {
	case "json":
		return o.Value, nil
	case "":
		if isText {
			return []byte(text), nil
		}
		return o.Value, nil
	case "utf8", "base64":
		if !isText {
			return nil, fmt.Errorf("has the encoding %s, for which the value must be a string.", o.Encoding) //nolint:revive // a sentence
		}
		if o.Encoding == "utf8" {
			return []byte(text), nil
		}
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, fmt.Errorf("has a value that is not standard base64.") //nolint:revive // a sentence
		}
		return raw, nil
	}
	return nil, fmt.Errorf("has the unknown encoding %s; the encodings are json, utf8 and base64.", quoted([]byte(o.Encoding))) //nolint:revive // a sentence
}

func badName(name string) string {
	if name == "" {
		return "has no name."
	}
	if strings.IndexFunc(name, unicode.IsControl) >= 0 {
		return "has a control character in its name."
	}
	return ""
}

// BadFileName says, as the rest of a sentence, why name cannot be a file's
// name on every system; empty where it can.
func BadFileName(name string) string {
	if why := badName(name); why != "" {
		return why
	}
	shown := quoted([]byte(name))
	switch {
	case len(name) > MaxName:
		return fmt.Sprintf("has a name longer than %d bytes.", MaxName)
	case strings.ContainsAny(name, `/\`):
		return fmt.Sprintf("has the name %s, but a file's name is one path segment without / or \\.", shown)
	case name == "." || name == "..":
		return fmt.Sprintf("has the name %s, which is a folder.", shown)
	case strings.ContainsAny(name, `<>:"|?*`):
		return fmt.Sprintf("has the name %s, which has one of <>:\"|?* and cannot be written on Windows.", shown)
	case strings.HasSuffix(name, ".") || strings.HasSuffix(name, " ") || strings.HasPrefix(name, " "):
		return fmt.Sprintf("has the name %s, which begins with a space or ends with a space or dot.", shown)
	}
	stem, _, _ := strings.Cut(strings.ToUpper(name), ".")
	if reserved(strings.TrimRight(stem, " ")) {
		return fmt.Sprintf("has the name %s, which is reserved on Windows.", shown)
	}
	return ""
}

// reserved says whether a name without its extension is a Windows device.
func reserved(stem string) bool {
	switch stem {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	port, ok := strings.CutPrefix(stem, "COM")
	if !ok {
		port, ok = strings.CutPrefix(stem, "LPT")
	}
	return ok && len([]rune(port)) == 1 && strings.Contains("0123456789¹²³", port)
}
