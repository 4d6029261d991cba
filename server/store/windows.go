package store

import (
	"context"
	"slices"
	"strings"
	"time"
)

func (h *history[T]) sort(items []T, descending bool) {
	slices.SortFunc(items, func(a, b T) int {
		if descending {
			a, b = b, a
		}
		return strings.Compare(h.id(&a), h.id(&b))
	})
}

// windows looks through the history a window at a time, until the page is full, the history ends or the budget
// is spent.
func (h *history[T]) windows(ctx context.Context, q queryer, p Page, key string, limit int) (items []T, next string, err error) {
	began := time.Now()
	for {
		c := h.after(p, key)
		if len(h.split) > 0 {
			c = c.and("(" + strings.Join(h.split, " OR ") + ")")
		}
		edge, err := h.edge(ctx, q, p, c)
		if err != nil {
			return nil, "", err
		}
		if edge != "" {
			within := " <= ?"
			if p.Descending {
				within = " >= ?"
			}
			c = c.and("id"+within, edge)
		}
		c.terms = append(c.terms, h.slow.terms...)
		c.args = append(c.args, h.slow.args...)
		some, err := h.read(ctx, q, p, c, limit+1-len(items))
		if err != nil {
			return nil, "", err
		}
		items = append(items, some...)
		switch {
		case len(items) > limit:
			items = items[:limit]
			return items, cursor{Key: h.id(&items[limit-1])}.String(), nil
		case edge == "":
			return items, "", nil
		case time.Since(began) > scanBudget:
			return items, cursor{Key: edge}.String(), nil
		}
		key = edge
	}
}

// edge is the last identifier of a window, "" when the history ends within it.
func (h *history[T]) edge(ctx context.Context, q queryer, p Page, c conditions) (string, error) {
	_, direction := p.order()
	query := "SELECT id FROM " + h.table + c.where() + " ORDER BY id " + direction + " LIMIT 1 OFFSET ?"
	edge, err := one[string](q.row(ctx, query, append(append([]any{}, c.args...), scanWindow-1)...))
	if isNoRow(err) {
		return "", nil
	}
	return edge, err
}
