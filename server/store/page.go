package store

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"octopus/internal/octopus"
)

// Limits of a page of a list.
const (
	DefaultLimit = 50
	MaxLimit     = 500
)

// Page asks for a part of a list. The zero value is the first page in the list's natural order: names ascending,
// executions and runs oldest first.
type Page struct {
	Limit      int    // 0 is DefaultLimit; at most MaxLimit
	Cursor     string // opaque, from the page before; "" is the first
	Descending bool
}

// bounded returns a limit between 1 and MaxLimit, DefaultLimit for 0.
func bounded(limit int) int {
	if limit <= 0 {
		return DefaultLimit
	}
	return min(limit, MaxLimit)
}

// cursor is the last key of a page. People see it as an opaque text.
type cursor struct {
	Key  string `json:"k"`
	Rank int    `json:"r,omitempty"`
}

func (c cursor) String() string {
	return base64.RawURLEncoding.EncodeToString([]byte(encode(c)))
}

// key decodes the page's cursor; the zero cursor is the first page.
func (p Page) key() (c cursor, err error) {
	if p.Cursor == "" {
		return c, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(p.Cursor)
	if err == nil {
		err = json.Unmarshal(raw, &c)
	}
	if err != nil || c.Key == "" || strings.ContainsRune(c.Key, 0) {
		return c, octopus.InvalidField("cursor", "This cursor is not one of ours. Leave it out to start at the first page.")
	}
	return c, nil
}

// order returns the comparison and the direction of a keyset over an ascending or descending key.
func (p Page) order() (compare, direction string) {
	if p.Descending {
		return "<", "DESC"
	}
	return ">", "ASC"
}

// conditions collects what a WHERE holds.
type conditions struct {
	terms []string
	args  []any
}

func (c *conditions) add(term string, args ...any) {
	c.terms = append(c.terms, term)
	c.args = append(c.args, args...)
}

// and returns a copy with one more term.
func (c conditions) and(term string, args ...any) conditions {
	return conditions{append(append([]string{}, c.terms...), term), append(append([]any{}, c.args...), args...)}
}

func (c conditions) where() string {
	if len(c.terms) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(c.terms, " AND ")
}

// contains adds a case-insensitive search of text in any of the columns.
func (c *conditions) contains(text string, columns ...string) {
	if text == "" {
		return
	}
	pattern := "%" + escapeLike(strings.ToLower(clean(text))) + "%"
	var terms []string
	for _, column := range columns {
		terms = append(terms, "lower("+column+`) LIKE ? ESCAPE '\'`)
		c.args = append(c.args, pattern)
	}
	c.terms = append(c.terms, "("+strings.Join(terms, " OR ")+")")
}

// created bounds a list by creation: exactly by created_at, and by the identifier's time so that an index helps.
// The identifier was made up to a minute before or after.
func (c *conditions) created(prefix string, since, until time.Time) {
	if !since.IsZero() {
		c.add("id >= ?", prefix+ulidTime(since.Add(-time.Minute)))
		c.add("created_at >= ?", micros(since))
	}
	if !until.IsZero() {
		c.add("id < ?", prefix+ulidTime(until.Add(time.Minute)))
		c.add("created_at < ?", micros(until))
	}
}

// ulidTime is how the identifiers of a millisecond begin.
func ulidTime(at time.Time) string {
	const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
	ms := uint64(max(at.UnixMilli(), 0))
	var text [10]byte
	for i := range text {
		text[i] = alphabet[ms>>(45-5*i)&31]
	}
	return string(text[:])
}

// scanWindow and scanBudget bound how much history one page looks through for rows that no index finds. A page
// may then be short, or empty, and still have a next cursor.
const (
	scanWindow = 5000
	scanBudget = 50 * time.Millisecond
)

// history is a list of rows with growing identifiers: executions or runs.
type history[T any] struct {
	table   string
	columns string
	scan    func(scanner) (T, error)
	id      func(*T) string
	cheap   conditions // an index finds these, or almost every row has them
	slow    conditions // looked for in windows of the rest
	split   []string   // alternatives, each with its index; merged. nil: none
}

// page reads a page in the order of identifiers.
func (h *history[T]) page(ctx context.Context, q queryer, p Page) (items []T, next string, err error) {
	at, err := p.key()
	if err != nil {
		return nil, "", err
	}
	limit := bounded(p.Limit)
	if len(h.slow.terms) > 0 {
		return h.windows(ctx, q, p, at.Key, limit)
	}
	alternatives := h.split
	if len(alternatives) == 0 {
		alternatives = []string{""}
	}
	for _, alternative := range alternatives {
		c := h.after(p, at.Key)
		if alternative != "" {
			c = c.and(alternative)
		}
		some, err := h.read(ctx, q, p, c, limit+1)
		if err != nil {
			return nil, "", err
		}
		items = append(items, some...)
	}
	if len(alternatives) > 1 {
		h.sort(items, p.Descending)
	}
	if len(items) > limit {
		items = items[:limit]
		next = cursor{Key: h.id(&items[limit-1])}.String()
	}
	return items, next, nil
}

// after adds the keyset to the cheap conditions.
func (h *history[T]) after(p Page, key string) conditions {
	if key == "" {
		return h.cheap.and("1 = 1")
	}
	compare, _ := p.order()
	return h.cheap.and("id "+compare+" ?", key)
}

func (h *history[T]) read(ctx context.Context, q queryer, p Page, c conditions, limit int) ([]T, error) {
	_, direction := p.order()
	query := "SELECT " + h.columns + " FROM " + h.table + c.where() + " ORDER BY id " + direction + " LIMIT ?"
	return list(ctx, q, h.scan, query, append(c.args, limit)...)
}
