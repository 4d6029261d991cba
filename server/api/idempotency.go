package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"octopus/internal/octopus"
	"octopus/server/auth"
	"octopus/server/store"
)

// Keyed is the header of creates and triggers.
type Keyed struct {
	Key string `header:"Idempotency-Key" maxLength:"255" doc:"Makes the call safe to repeat for 24 hours: the same key and body return what was made first."`
}

// created answers a create or trigger.
type created[T any] struct {
	Status   int
	Location string `header:"Location"`
	Replay   string `header:"Idempotent-Replay"`
	ETag     string `header:"ETag"`
	Body     T
}

// made is 201, or 200 when an earlier call with the same key made it.
func made[T any](location string, replay bool, body T) *created[T] {
	out := &created[T]{Status: http.StatusCreated, Location: location, Body: body}
	if replay {
		out.Status, out.Replay = http.StatusOK, "true"
	}
	return out
}

// one answers a read or a change.
type one[T any] struct {
	ETag string `header:"ETag"`
	Body T
}

// idempotency scopes a key to its caller and route, and hashes the body by what it means: white space and the
// order of keys do not count. Without a key it is nil.
func (k Keyed) idempotency(ctx context.Context, route string) (*store.Idempotency, error) {
	if k.Key == "" {
		return nil, nil
	}
	if !validKey(k.Key) {
		return nil, &octopus.Error{Code: octopus.CodeMalformed, Message: "An Idempotency-Key has 1 to 255 visible ASCII characters.",
			Fields: []octopus.FieldError{{Field: "Idempotency-Key", Message: "must be 1 to 255 visible ASCII characters"}}}
	}
	subject, _ := auth.FromContext(ctx)
	return &store.Idempotency{Scope: subject.UserID + " " + route, Key: k.Key, BodyHash: bodyHash(bodyOf(ctx))}, nil
}

func validKey(key string) bool {
	return key != "" && len(key) <= 255 && !strings.ContainsFunc(key, func(c rune) bool { return c <= ' ' || c > '~' })
}

// bodyHash is SHA-256 over the canonical form of a JSON body, or over the bytes where they are not JSON.
func bodyHash(body []byte) []byte {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err == nil && !dec.More() {
		if canonical, err := json.Marshal(value); err == nil {
			body = canonical
		}
	}
	sum := sha256.Sum256(body)
	return sum[:]
}

// maxWait is the longest that one request is held open.
const maxWait = time.Minute

// Prefers is the Prefer header of creates (RFC 7240).
type Prefers struct {
	Prefer string `header:"Prefer" maxLength:"255" doc:"wait=30: answer when it has ended, or after 30 seconds. return=minimal: leave the executions out."`
}

// parse returns how long to wait, and whether the short form will do. What it does not know it ignores, as the
// RFC asks for.
func (p Prefers) parse() (wait time.Duration, minimal bool) {
	for part := range strings.FieldsFuncSeq(p.Prefer, func(c rune) bool { return c == ',' || c == ';' }) {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		value = strings.Trim(strings.TrimSpace(value), `"`)
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "wait":
			if seconds, err := strconv.ParseFloat(value, 64); err == nil && seconds > 0 {
				wait = clampWait(seconds)
			}
		case "return":
			minimal = strings.EqualFold(value, "minimal")
		}
	}
	return wait, minimal
}

// Waits is the query parameter of reads.
type Waits struct {
	Wait float64 `query:"wait" minimum:"0" doc:"Answer when it has ended, or after this many seconds, at most 60."`
}

func (w Waits) duration() time.Duration { return clampWait(w.Wait) }

func clampWait(seconds float64) time.Duration {
	return time.Duration(min(max(seconds, 0), maxWait.Seconds()) * float64(time.Second))
}

// claim is an id for something to be made, bound to an Idempotency-Key where there is one.
type claim struct {
	id     string
	replay bool // an earlier call with the same key and body claimed it
	key    *store.Idempotency
}

// claim binds a key to a new id, for creates whose own operation takes no key.
func (a *API) claim(ctx context.Context, k Keyed, route, prefix string) (claim, error) {
	c := claim{id: octopus.NewID(prefix, a.now())}
	var err error
	if c.key, err = k.idempotency(ctx, route); err != nil || c.key == nil {
		return c, err
	}
	before, err := a.store.Remember(ctx, *c.key, c.id)
	c.id, c.replay = before, before != c.id
	return c, err
}

// release gives the key back when nothing was made, so that a corrected body may use it; it returns why.
func (a *API) release(ctx context.Context, c claim, why error) error {
	if c.key == nil {
		return why
	}
	return errors.Join(why, a.store.Forget(context.WithoutCancel(ctx), *c.key, c.id))
}
