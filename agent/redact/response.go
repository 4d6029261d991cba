package redact

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"

	"octopus/sdk/spec"
)

// Response returns a response without secrets. It changes nothing that p points to.
func (r *Redactor) Response(p spec.Response) spec.Response {
	if !r.Knows() {
		return p
	}
	p.Message = r.Text(p.Message)
	p.Result = r.JSON(p.Result)
	if len(p.Data) > 0 {
		data := make([]spec.Operation, len(p.Data))
		for i, op := range p.Data {
			data[i] = r.operation(op)
		}
		p.Data = data
	}
	if len(p.Metrics) > 0 {
		metrics := make(map[string]float64, len(p.Metrics))
		for name, v := range p.Metrics {
			if text := strconv.FormatFloat(v, 'f', -1, 64); r.Text(text) == text { // a number cannot stand for a secret
				metrics[r.Text(name)] = v
			}
		}
		p.Metrics = metrics
	}
	if p.Error != nil {
		e := *p.Error
		e.Code, e.Message, e.Details = r.Text(e.Code), r.Text(e.Message), r.JSON(e.Details)
		p.Error = &e
	}
	return p
}

// operation redacts the value of an operation. Its name says where it goes and stays, unless it is a secret itself.
func (r *Redactor) operation(op spec.Operation) spec.Operation {
	op.Name = r.Text(op.Name)
	var text string
	if op.Encoding == "base64" && json.Unmarshal(op.Value, &text) == nil {
		if raw, err := base64.StdEncoding.DecodeString(text); err == nil {
			if clean := r.Bytes(raw); !bytes.Equal(clean, raw) {
				op.Value, _ = json.Marshal(base64.StdEncoding.EncodeToString(clean)) // a string: it cannot fail
			}
			return op
		}
	}
	op.Value = r.JSON(op.Value)
	return op
}

// JSON returns valid JSON without secrets in its strings, keys and numbers. A number that holds one becomes a string.
// Two keys that differ only in a secret stay two members of one name.
func (r *Redactor) JSON(raw json.RawMessage) json.RawMessage {
	if !r.Knows() {
		return raw
	}
	var out []byte
	kept := 0 // how much of raw is in out
	for at := 0; at < len(raw); {
		end := literal(raw, at)
		if end == at {
			at++
			continue
		}
		text := string(raw[at:end])
		if raw[at] == '"' && json.Unmarshal(raw[at:end], &text) != nil {
			at = end
			continue
		}
		if clean := r.Text(text); clean != text {
			quoted, _ := json.Marshal(clean) // a string: it cannot fail
			out = append(append(out, raw[kept:at]...), quoted...)
			kept = end
		}
		at = end
	}
	if kept == 0 {
		return raw
	}
	return append(out, raw[kept:]...)
}

// literal is where the string or number that begins at at ends; at where there is none.
func literal(raw []byte, at int) int {
	end := at
	if raw[at] != '"' {
		for end < len(raw) && (raw[end] >= '0' && raw[end] <= '9' || bytes.IndexByte([]byte("+-.eE"), raw[end]) >= 0) {
			end++
		}
		if c := raw[at]; c != '-' && (c < '0' || c > '9') {
			return at // the e of true
		}
		return end
	}
	for end++; end < len(raw); end++ {
		switch raw[end] {
		case '\\':
			end++
		case '"':
			return end + 1
		}
	}
	return len(raw)
}
