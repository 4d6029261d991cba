package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"octopus/internal/octopus"
	"octopus/sdk"
)

// statusOf is the HTTP status of each code.
var statusOf = map[octopus.Code]int{
	octopus.CodeMalformed:       http.StatusBadRequest,
	octopus.CodeUnauthenticated: http.StatusUnauthorized,
	octopus.CodeDenied:          http.StatusForbidden,
	octopus.CodeNotFound:        http.StatusNotFound,
	octopus.CodeConflict:        http.StatusConflict,
	octopus.CodeStale:           http.StatusPreconditionFailed,
	octopus.CodeTooLarge:        http.StatusRequestEntityTooLarge,
	octopus.CodeInvalid:         http.StatusUnprocessableEntity,
	octopus.CodeTooOld:          http.StatusUpgradeRequired,
	octopus.CodeRateLimited:     http.StatusTooManyRequests,
	octopus.CodeInternal:        http.StatusInternalServerError,
	octopus.CodeUnavailable:     http.StatusServiceUnavailable,
	octopus.CodeNoSpace:         http.StatusInsufficientStorage,
}

// problem is an error on its way out.
type problem struct {
	sdk.Problem
	retryAfter int
}

// Error returns the sentence.
func (p *problem) Error() string { return p.Detail }

// GetStatus is the HTTP status.
func (p *problem) GetStatus() int { return p.Status }

// ContentType marks the body as a problem.
func (p *problem) ContentType(string) string { return "application/problem+json" }

// GetHeaders are the headers that belong to some statuses.
func (p *problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="octopus"`)
	}
	return h
}

func newProblem(status int, code octopus.Code, detail string) *problem {
	return &problem{Problem: sdk.Problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status, Code: string(code), Detail: detail,
	}}
}

// toProblem translates an error once, at the edge. What was not made for people goes to the log with the
// request's id, and out as a neutral sentence.
func (a *API) toProblem(ctx context.Context, err error) *problem {
	var done *problem
	if errors.As(err, &done) {
		done.RequestID = cmp.Or(done.RequestID, requestIDOf(ctx))
		return done
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		err = octopus.Errorf(octopus.CodeUnavailable, "The request ended before its answer was ready. Try again.")
	}
	code := octopus.CodeOf(err)
	status, known := statusOf[code]
	if !known {
		status, code = http.StatusInternalServerError, octopus.CodeInternal
	}
	p := newProblem(status, code, octopus.Sentence(err))
	p.RequestID = requestIDOf(ctx)
	if status == http.StatusInternalServerError {
		a.log.Error("request failed", "request", p.RequestID, "error", err)
	}
	var e *octopus.Error
	if errors.As(err, &e) {
		p.retryAfter = e.RetryAfterSeconds
		for _, f := range e.Fields {
			p.Errors = append(p.Errors, sdk.FieldProblem{Field: f.Field, Message: f.Message})
		}
	}
	if p.retryAfter == 0 && (status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests) {
		p.retryAfter = 2
	}
	return p
}

var installErrors sync.Once

// setErrors replaces huma's errors, which repeat the offending value, by ours. huma keeps its constructors in
// package variables, so that this is for the whole process, once.
func setErrors() {
	installErrors.Do(func() {
		huma.ValidateStrictCasing = true // encoding/json would take "Plugin" for "plugin"
		huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
			return fromHuma(nil, status, message, errs)
		}
		huma.NewErrorWithContext = func(ctx huma.Context, status int, message string, errs ...error) huma.StatusError {
			return fromHuma(ctx, status, message, errs)
		}
	})
}

// fromHuma turns what huma's own checks found into a problem.
func fromHuma(ctx huma.Context, status int, message string, errs []error) huma.StatusError {
	p := newProblem(status, codeOf(status), sentence(message))
	if ctx != nil {
		p.RequestID = requestIDOf(ctx.Context())
	}
	for _, err := range errs {
		var ours *problem
		if errors.As(err, &ours) {
			return ours
		}
		var detail *huma.ErrorDetail
		if errors.As(err, &detail) {
			p.Errors = append(p.Errors, fieldProblem(detail.Location, detail.Message))
		}
	}
	switch {
	case status == http.StatusUnsupportedMediaType:
		p.Detail, p.Errors = "The body must be JSON: send Content-Type: application/json.", nil
	case status == http.StatusRequestEntityTooLarge:
		p.Detail = tooLarge(ctx)
	case status == http.StatusBadRequest && len(p.Errors) > 0:
		p.Detail, p.Errors = p.Errors[0].Message, nil
	case len(p.Errors) == 1:
		p.Detail = fmt.Sprintf("%s: %s.", cmp.Or(p.Errors[0].Field, "The body"), strings.TrimSuffix(p.Errors[0].Message, "."))
	case len(p.Errors) > 1:
		p.Detail = fmt.Sprintf("%d fields are not right; errors lists them.", len(p.Errors))
	}
	return p
}

func codeOf(status int) octopus.Code {
	for code, s := range statusOf {
		if s == status {
			return code
		}
	}
	if status >= 500 || status == 0 {
		return octopus.CodeInternal
	}
	return octopus.CodeMalformed
}

func tooLarge(ctx huma.Context) string {
	if ctx == nil || ctx.Operation() == nil {
		return "The body is too large."
	}
	return fmt.Sprintf("The body is over the limit of %d KiB.", ctx.Operation().MaxBodyBytes>>10)
}

// sentence makes a sentence of one of huma's fixed messages.
func sentence(message string) string {
	if message == "" {
		return "The request failed."
	}
	return strings.ToUpper(message[:1]) + strings.TrimSuffix(message[1:], ".") + "."
}

// fieldProblem turns huma's location, such as "body.items[3].tags" or "query.limit", into a JSON pointer into
// the body, or the bare name of a parameter.
func fieldProblem(location, message string) sdk.FieldProblem {
	where, rest, _ := strings.Cut(location, ".")
	if where != "body" {
		return sdk.FieldProblem{Field: rest, Message: plainly(message)}
	}
	if strings.HasPrefix(message, "json: ") || strings.HasPrefix(message, "parsing time ") {
		return unreadable(message)
	}
	field := pointer(rest)
	if name, ok := strings.CutPrefix(message, "expected required property "); ok {
		name, _, _ = strings.Cut(name, " ")
		return sdk.FieldProblem{Field: field + "/" + name, Message: "is required"}
	}
	return sdk.FieldProblem{Field: field, Message: plainly(message)}
}

// tooWide is what encoding/json says of a number for which its field has no room.
var tooWide = regexp.MustCompile(`^json: cannot unmarshal number \S* into Go struct field (\S+) of type (u?int)`)

// unreadable says what fits the schema and still cannot be read, without the words of Go and without the value.
func unreadable(message string) sdk.FieldProblem {
	found := tooWide.FindStringSubmatch(message)
	if found == nil {
		return sdk.FieldProblem{Message: "has a value that cannot be read"}
	}
	var field strings.Builder
	for _, part := range strings.Split(found[1], ".") {
		if part != "" && strings.ToLower(part) == part { // structs and what they embed are capitalised
			field.WriteString("/" + part)
		}
	}
	if found[2] == "uint" {
		return sdk.FieldProblem{Field: field.String(), Message: fmt.Sprintf("must be a whole number from 0 to %d", uint64(math.MaxUint64))}
	}
	return sdk.FieldProblem{Field: field.String(), Message: fmt.Sprintf("must be a whole number of at most %d", int64(math.MaxInt64))}
}

// words say what huma's checks found. Where a value follows, it stands in the schema, not in the request.
var words = []struct{ huma, ours string }{
	{"unexpected property", "there is no such field"},
	{"unknown query parameter", "there is no such parameter"},
	{"expected value to be one of ", "must be one of "},
	{"expected number >= ", "must be at least "},
	{"expected number <= ", "must be at most "},
	{"expected number > ", "must be more than "},
	{"expected number < ", "must be less than "},
	{"expected length >= ", "is shorter than "},
	{"expected length <= ", "is longer than "},
	{"expected array length >= ", "has fewer items than "},
	{"expected array length <= ", "has more items than "},
	{"expected string to match pattern ", "must match "},
	{"expected string to be ", "must be "},
	{"expected ", "must be of type "},
	{"invalid ", "must be of type "},
}

// plainly says what is wrong as the end of a sentence that begins with the field.
func plainly(message string) string {
	if message == "expected length >= 1" {
		return "must not be empty"
	}
	for _, w := range words {
		rest, ok := strings.CutPrefix(message, w.huma)
		if !ok {
			continue
		}
		if n, err := strconv.ParseFloat(rest, 64); err == nil {
			rest = strconv.FormatFloat(n, 'f', -1, 64) // not 2.592e+06
		}
		if strings.Contains(w.huma, "length") && !strings.Contains(w.huma, "array") && rest != "" {
			rest += " characters"
		}
		return w.ours + strings.ReplaceAll(rest, `"`, "")
	}
	return message
}

func pointer(path string) string {
	if path == "" {
		return ""
	}
	path = strings.NewReplacer("~", "~0", "/", "~1").Replace(path)
	return "/" + strings.NewReplacer("].", "/", "[", "/", "]", "", ".", "/").Replace(path)
}
