package link

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
)

// Identity is who an agent is.
type Identity struct {
	Agent       string // its id
	Key         ed25519.PrivateKey
	Incarnation string // random per process
}

const maxAnswer = 64 << 10 // bytes of a JSON answer

// Enrol registers the agent's key with a join token. Refusals are *Refused with the server's sentence.
func (c *Client) Enrol(ctx context.Context, e wire.Enrol) (wire.Enrolled, error) {
	var out wire.Enrolled
	body, err := json.Marshal(e)
	if err != nil {
		return out, fmt.Errorf("encode enrolment: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url(wire.PathEnrol), bytes.NewReader(body))
	if err != nil {
		return out, fmt.Errorf("enrol: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if err := c.answer(req, &out); err != nil {
		return out, err
	}
	if out.Agent == "" {
		return out, errors.New("the server enrolled this agent but gave it no id")
	}
	return out, nil
}

// Nonce fetches what the next signed request must name.
func (c *Client) Nonce(ctx context.Context) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url(wire.PathNonce), nil)
	if err != nil {
		return "", fmt.Errorf("nonce: %w", err)
	}
	var n wire.Nonce
	if err := c.answer(req, &n); err != nil {
		return "", err
	}
	if n.Nonce == "" {
		return "", octopus.Errorf(octopus.CodeInvalid, "%s answers, but not as an Octopus server. Check the address and any proxy before it.", c.base.Host)
	}
	return n.Nonce, nil
}

// sign returns the headers of a request that only this agent can make, and only once.
func (c *Client) sign(ctx context.Context, id Identity, method, path string) (http.Header, error) {
	nonce, err := c.Nonce(ctx)
	if err != nil {
		return nil, err
	}
	return c.signWith(id, nonce, method, path), nil
}

func (c *Client) signWith(id Identity, nonce, method, path string) http.Header {
	signature := ed25519.Sign(id.Key, wire.SignedText(id.Agent, nonce, c.base.Host, method, path))
	h := http.Header{}
	h.Set(wire.HeaderAgent, id.Agent)
	h.Set(wire.HeaderNonce, nonce)
	h.Set(wire.HeaderHost, c.base.Host)
	h.Set(wire.HeaderSignature, base64.StdEncoding.EncodeToString(signature))
	h.Set(wire.HeaderVersion, strconv.Itoa(wire.Version))
	h.Set(wire.HeaderIncarnation, id.Incarnation)
	h.Set("User-Agent", c.userAgent())
	return h
}

func (c *Client) userAgent() string { return "octopus-agent/" + c.version }

// Module writes the bytes of a plugin version into w, at most limit of them, and returns what the server signed of it.
// refused, a sentence, tells the server why a copy that the agent had was not loaded.
func (c *Client) Module(ctx context.Context, id Identity, digest, refused string, limit int64, w io.Writer) (signed wire.SignedModule, err error) {
	path := wire.PathModules + digest
	header, err := c.sign(ctx, id, http.MethodGet, path)
	if err != nil {
		return signed, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url(path), nil)
	if err != nil {
		return signed, fmt.Errorf("module: %w", err)
	}
	req.Header = header
	if refused != "" {
		req.Header.Set(wire.HeaderRefused, url.PathEscape(refused))
	}
	return c.module(req, digest, limit, w)
}

func (c *Client) module(req *http.Request, digest string, limit int64, w io.Writer) (signed wire.SignedModule, err error) {
	resp, err := c.http.Do(req)
	if err != nil {
		return signed, transportError(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return signed, refused(resp)
	}
	if signed, err = wire.ParseSigned(resp.Header.Get(wire.HeaderSigned)); err != nil {
		return signed, octopus.Errorf(octopus.CodeInvalid, "The server's signature of the module %s cannot be read.", digest)
	}
	tooLarge := octopus.Errorf(octopus.CodeTooLarge, "The module %s is over the %d MiB that an agent takes.", digest, limit>>20)
	if resp.ContentLength > limit {
		return signed, tooLarge
	}
	n, err := io.Copy(w, io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return signed, fmt.Errorf("download module: %w", err)
	}
	if n > limit {
		return signed, tooLarge
	}
	return signed, nil
}

// Keys asks for the keys with which the server signs modules; none where it signs nothing, or knows no such question.
func (c *Client) Keys(ctx context.Context) ([]wire.ServerKey, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url(wire.PathKeys), nil)
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	var out wire.Keys
	err = c.answer(req, &out)
	var none *Refused
	if errors.As(err, &none) && none.Status == http.StatusNotFound {
		return nil, nil
	}
	return out.Keys, err
}

// PutBlob hands a large result to the server, before the result that names it.
func (c *Client) PutBlob(ctx context.Context, id Identity, sha256 string, body []byte) error {
	path := wire.PathBlobs + sha256
	header, err := c.sign(ctx, id, http.MethodPut, path)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, c.url(path), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("blob: %w", err)
	}
	req.Header = header
	req.Header.Set("Content-Type", "application/octet-stream")
	return c.answer(req, nil)
}

// answer sends a request and reads its JSON answer into out, which may be nil.
func (c *Client) answer(req *http.Request, out any) error {
	req.Header.Set("User-Agent", c.userAgent())
	req.Header.Set("Accept", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return transportError(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return refused(resp)
	}
	if out == nil {
		_, err := io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer))
		return err
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	if json.Unmarshal(raw, out) != nil {
		return octopus.Errorf(octopus.CodeInvalid, "%s answers, but not as an Octopus server. Check the address and any proxy before it.", req.URL.Host)
	}
	return nil
}

// refused reads a problem document; without one it says what the status says.
func refused(resp *http.Response) *Refused {
	r := &Refused{Status: resp.StatusCode, Sentence: unexpected(resp.StatusCode), RetryAfter: retryAfter(resp.Header)}
	raw, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	var problem struct {
		Code   string `json:"code"`
		Detail string `json:"detail"`
		Title  string `json:"title"`
	}
	if json.Unmarshal(raw, &problem) == nil {
		r.Code = problem.Code
		if problem.Detail != "" {
			r.Sentence = problem.Detail
		}
		return r
	}
	if text := strings.TrimSpace(string(raw)); text != "" && len(text) < 300 && strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") {
		r.Sentence = text
	}
	return r
}

func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, time.Hour)
}

// transportError keeps a sentence that noRedirect made, and shortens the rest to what a person needs.
func transportError(err error) error {
	var known *octopus.Error
	if errors.As(err, &known) {
		return known
	}
	return fmt.Errorf("reach server: %w", err)
}
