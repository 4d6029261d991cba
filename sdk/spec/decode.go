package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// Bounds of a response.
const (
	MaxMessage    = 64 << 10 // bytes
	MaxOperations = 1000
	MaxMetrics    = 1000
	MaxName       = 255 // bytes, of an operation's or a metric's name
)

// InvalidResponse says why and where a plugin's output is not a response.
type InvalidResponse struct {
	Offset  int64
	Message string
}

// Error is the sentence.
func (e *InvalidResponse) Error() string { return e.Message }

// DecodeResponse reads what a plugin printed. The error is *InvalidResponse.
//
// Fields that it does not know are skipped, so that a newer plugin runs on an
// older host; unknown operations are refused, because they would be lost.
func DecodeResponse(raw []byte) (Response, error) {
	d := decoder{raw: raw}
	d.whole()
	if d.err == nil {
		d.response()
	}
	if d.err != nil {
		return Response{}, d.err
	}
	return d.out, nil
}

// decoder reads one response; the first error wins.
type decoder struct {
	raw []byte
	out Response
	err *InvalidResponse
}

func (d *decoder) fail(offset int64, format string, args ...any) {
	if d.err == nil {
		d.err = &InvalidResponse{Offset: offset, Message: fmt.Sprintf(format, args...)}
	}
}

// whole checks that the output is one JSON object and nothing else.
func (d *decoder) whole() {
	start := len(d.raw) - len(bytes.TrimLeft(d.raw, " \t\r\n"))
	if start == len(d.raw) {
		d.fail(0, "The plugin printed no response. Print one JSON object such as {\"status_code\": 200, \"message\": \"done\"} to standard output.")
		return
	}
	if bad := invalidUTF8(d.raw); bad >= 0 {
		d.fail(int64(bad), "The response is not UTF-8 at byte %d.", bad)
		return
	}
	if c := d.raw[start]; c != '{' {
		if _, err := scan(d.raw); err == nil && c == '[' {
			d.fail(int64(start), "The response must be an object, but is an array.")
			return
		}
		d.fail(int64(start), "Standard output carries only the response, but begins with %s. Print to standard error, which is the log.", quoted(d.raw[start:]))
		return
	}
	end, err := scan(d.raw)
	if err != nil {
		d.fail(int64(err.offset), "The response %s, at byte %d.", err.text, err.offset)
		return
	}
	if rest := bytes.TrimLeft(d.raw[end:], " \t\r\n"); len(rest) > 0 {
		d.fail(int64(len(d.raw)-len(rest)), "Standard output carries only the response, but goes on after it with %s. Print to standard error, which is the log.", quoted(rest))
		return
	}
	d.raw = d.raw[:end]
}

func (d *decoder) response() {
	base := int64(len(d.raw) - len(bytes.TrimLeft(d.raw, " \t\r\n")))
	status := false
	for _, m := range members(d.raw[base:]) {
		m.offset += base
		if string(m.value) == "null" && m.key != "status_code" && m.key != "result" {
			continue
		}
		switch m.key {
		case "status_code":
			status = true
			d.status(m)
		case "message":
			d.out.Message = d.text(m, "message", MaxMessage)
		case "data":
			d.data(m)
		case "result":
			d.out.Result = json.RawMessage(bytes.Clone(m.value))
		case "metrics":
			d.metrics(m)
		case "error":
			d.error(m)
		}
	}
	if !status {
		d.fail(base, "The response has no status_code. Add one of 100 to 599; 200 means success.")
	}
}

func (d *decoder) status(m member) {
	code, err := strconv.Atoi(string(m.value))
	if err != nil || code < 100 || code > 599 {
		d.fail(m.offset, "The response's status_code must be a whole number from 100 to 599, but is %s.", quoted(m.value))
	}
	d.out.StatusCode = code
}

func (d *decoder) text(m member, what string, most int) string {
	var text string
	if json.Unmarshal(m.value, &text) != nil {
		d.fail(m.offset, "The response's %s must be a string, but is %s.", what, quoted(m.value))
	}
	if len(text) > most {
		d.fail(m.offset, "The response's %s is %d bytes long; at most %d are allowed.", what, len(text), most)
	}
	return text
}

func (d *decoder) number(m member, what string) float64 {
	v, err := strconv.ParseFloat(string(m.value), 64)
	if err != nil {
		d.fail(m.offset, "The response's %s must be a number, but is %s.", what, quoted(m.value))
	}
	return v
}

func (d *decoder) metrics(m member) {
	if m.value[0] != '{' {
		d.fail(m.offset, "The response's metrics must be an object of numbers, but is %s.", quoted(m.value))
		return
	}
	list := members(m.value)
	if len(list) > MaxMetrics {
		d.fail(m.offset, "The response has %d metrics; at most %d are allowed.", len(list), MaxMetrics)
		return
	}
	d.out.Metrics = make(map[string]float64, len(list))
	for _, e := range list {
		e.offset += m.offset
		if e.key == "" || len(e.key) > MaxName {
			d.fail(e.offset, "The response has a metric whose name is empty or longer than %d bytes.", MaxName)
		}
		d.out.Metrics[e.key] = d.number(e, fmt.Sprintf("metric %q", e.key))
	}
}

func (d *decoder) error(m member) {
	if m.value[0] != '{' {
		d.fail(m.offset, "The response's error must be an object such as {\"code\": \"not_found\"}, but is %s.", quoted(m.value))
		return
	}
	out := &ResponseError{}
	d.out.Error = out
	for _, e := range members(m.value) {
		e.offset += m.offset
		if string(e.value) == "null" {
			continue
		}
		switch e.key {
		case "code":
			out.Code = d.text(e, "error.code", MaxName)
		case "message":
			out.Message = d.text(e, "error.message", MaxMessage)
		case "retryable":
			yes := string(e.value) == "true"
			if !yes && string(e.value) != "false" {
				d.fail(e.offset, "The response's error.retryable must be true or false, but is %s.", quoted(e.value))
			}
			out.Retryable = &yes
		case "retry_after_seconds":
			if out.RetryAfterSeconds = d.number(e, "error.retry_after_seconds"); out.RetryAfterSeconds < 0 {
				d.fail(e.offset, "The response's error.retry_after_seconds must not be negative.")
			}
		case "details":
			out.Details = json.RawMessage(bytes.Clone(e.value))
		}
	}
}
