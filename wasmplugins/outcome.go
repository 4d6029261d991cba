package wasmplugins

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"octopus/sdk/spec"
)

// StatusCancelled is the status code of an execution that was cancelled. It
// is in nobody's standard, but nginx made it known.
const StatusCancelled = 499

// notStarted is the outcome of a job whose guest never ran.
func notStarted(ctx context.Context, err error) Outcome {
	out := Outcome{Err: err}
	var refusal *Refusal
	var mismatch *DigestMismatch
	switch {
	case errors.As(err, &refusal):
		out.Response = spec.Failure(http.StatusUnprocessableEntity, spec.CodeRefused, refusal.Message)
		if details, err := json.Marshal(map[string]string{"refusal": refusal.Code}); err == nil {
			out.Response.Error.Details = details
		}
	case errors.As(err, &mismatch):
		out.Response = spec.Failure(http.StatusBadGateway, spec.CodeDigestMismatch, mismatch.Error())
	case ctx.Err() != nil || errors.Is(err, ErrClosed):
		out.Response = spec.Failure(StatusCancelled, spec.CodeCancelled, "The execution ended before the plugin started.")
	default:
		out.Response = spec.Failure(http.StatusInternalServerError, spec.CodeSandbox, "The plugin could not be started: "+short(err.Error())+".")
	}
	return out
}

func short(text string) string { return strings.ToValidUTF8(text[:min(len(text), 1024)], "?") }

// fail makes the outcome of a guest whose runner is dead.
func (e *execution) fail(killed string, err error) {
	e.c.kill()
	<-e.c.gone
	e.out.Err = err
	switch {
	case killed == spec.CodeTimeout:
		e.out.Response = spec.Failure(http.StatusGatewayTimeout, spec.CodeTimeout, fmt.Sprintf("The plugin did not end within %s and was killed.", e.job.Timeout))
	case killed == spec.CodeCancelled, e.pool.ctx.Err() != nil:
		e.out.Response = spec.Failure(StatusCancelled, spec.CodeCancelled, "The execution was cancelled and the plugin killed.")
	case errors.Is(err, errStdout):
		e.out.Response = e.tooMuch()
	case e.c.outOfMemory():
		e.out.Response = spec.Failure(http.StatusInsufficientStorage, spec.CodeMemoryLimit, "The plugin's sandbox ran out of memory. Give it less to do at once, or raise limits.memory.")
	default:
		e.out.Err = e.c.why(err)
		e.out.Response = spec.Failure(http.StatusInternalServerError, spec.CodeSandbox, "The sandbox that the plugin ran in ended unexpectedly. The agent's log says why.")
	}
	raw := e.keep()
	if e.out.Response.Error.Code == spec.CodeOutputLimit {
		e.keepInvalid(raw)
	}
}

func (e *execution) tooMuch() spec.Response {
	return spec.Failure(http.StatusInsufficientStorage, spec.CodeOutputLimit, fmt.Sprintf("The plugin printed more than %s to standard output. Print less, or raise limits.stdout.", spec.Size(e.job.Stdout)))
}

// keep puts what the guest printed into the outcome.
func (e *execution) keep() []byte {
	raw, file, err := e.stdout.result()
	e.out.RawFile, e.out.RawSize = file, int64(len(raw))
	if file == "" {
		e.out.Raw = raw
	}
	if err != nil && e.out.Err == nil {
		e.out.Err = err
	}
	return raw
}

// keepInvalid keeps the head of what is no response, for people to see what it was.
func (e *execution) keepInvalid(raw []byte) {
	e.out.Invalid = bytes.Clone(raw[:min(len(raw), MaxInvalid)])
}

// conclude makes the outcome of a guest that ended by itself.
func (e *execution) conclude() {
	raw := e.keep()
	switch e.finish.Fault {
	case spec.CodeOutputLimit:
		e.out.Response = e.tooMuch()
		e.keepInvalid(raw)
		return
	case spec.CodeOutOfFuel:
		e.out.Response = spec.Failure(http.StatusInsufficientStorage, spec.CodeOutOfFuel, fmt.Sprintf("The plugin used up its %d units of fuel. Give it less to do at once, or raise the limit.", e.job.Fuel))
		again := false // it would end at the same instruction
		e.out.Response.Error.Retryable = &again
		return
	case "":
	default:
		e.out.Response = e.trapped()
		return
	}
	response, err := spec.DecodeResponse(raw)
	switch {
	case e.finish.Exit != 0 && (err != nil || response.Succeeded()):
		e.out.Response = e.exited()
	case err != nil:
		e.out.Response = invalid(err)
		e.keepInvalid(raw)
	default:
		e.out.Response = response
	}
}

// invalid is for output that is not a response.
func invalid(err error) spec.Response {
	r := spec.Failure(http.StatusBadGateway, spec.CodeInvalidResponse, err.Error())
	var where *spec.InvalidResponse
	if errors.As(err, &where) {
		if details, err := json.Marshal(map[string]int64{"offset": where.Offset}); err == nil {
			r.Error.Details = details
		}
	}
	return r
}

func (e *execution) outOfMemory() spec.Response {
	return spec.Failure(http.StatusInsufficientStorage, spec.CodeMemoryLimit, fmt.Sprintf("The plugin needs more than its %s of memory. Give it less to do at once, or raise limits.memory.", spec.Size(e.job.Memory)))
}

func (e *execution) exited() spec.Response {
	if e.finish.Refused {
		return e.outOfMemory()
	}
	return spec.Failure(http.StatusInternalServerError, spec.CodeException, fmt.Sprintf("The plugin ended with exit code %d. Its log says why.", e.finish.Exit))
}

// trapped names the trap, with the functions that led to it as details.
func (e *execution) trapped() spec.Response {
	if e.finish.Refused {
		return e.outOfMemory()
	}
	first, stack, _ := strings.Cut(short4(e.finish.Message), "\n")
	first = strings.TrimPrefix(first, "wasm error: ")
	r := spec.Failure(http.StatusInternalServerError, spec.CodeTrap, "The plugin trapped: "+strings.TrimSuffix(first, " (recovered by wazero)")+".")
	if details, err := json.Marshal(map[string]string{"stack": strings.TrimPrefix(stack, "wasm stack trace:\n")}); err == nil && stack != "" {
		r.Error.Details = details
	}
	return r
}

func short4(text string) string { return strings.ToValidUTF8(text[:min(len(text), 4096)], "?") }
