package api

import (
	"strings"
	"time"

	"octopus/internal/octopus"
	"octopus/sdk"
	"octopus/server/store"
)

// Paged is what every list takes.
type Paged struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"Items on one page."`
	Cursor string `query:"cursor" maxLength:"512" doc:"next_cursor of the page before."`
}

func (p Paged) page() store.Page { return store.Page{Limit: p.Limit, Cursor: p.Cursor} }

// ByTime orders by creation.
type ByTime struct {
	Sort string `query:"sort" enum:"created_at,-created_at" default:"-created_at" doc:"-created_at is newest first."`
}

// ByName orders by name.
type ByName struct {
	Sort string `query:"sort" enum:"name,-name" default:"name" doc:"-name is from Z to A."`
}

func descending(sort string) bool { return strings.HasPrefix(sort, "-") }

// list is a page as an answer.
type list[T any] struct {
	Body sdk.Page[T]
}

// page makes an answer of items, each turned into its JSON form. An empty list is [], never null.
func page[From, To any](items []From, next string, convert func(From) To) *list[To] {
	out := &list[To]{Body: sdk.Page[To]{Items: make([]To, len(items)), NextCursor: next}}
	for i, item := range items {
		out.Body.Items[i] = convert(item)
	}
	return out
}

// since reads "2026-11-22T04:50:00Z", or a time ago such as "24h" or "7d".
func since(name, value string, now time.Time) (time.Time, error) {
	if value == "" {
		return time.Time{}, nil
	}
	if at, err := time.Parse(time.RFC3339Nano, value); err == nil {
		return at.UTC(), nil
	}
	if days, ok := strings.CutSuffix(value, "d"); ok {
		if ago, err := time.ParseDuration(days + "h"); err == nil && ago >= 0 && ago < 24*365*100*time.Hour/24 {
			return now.Add(-24 * ago), nil
		}
	}
	if ago, err := time.ParseDuration(value); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	return time.Time{}, octopus.InvalidField(name, "%s must be a time such as 2026-11-22T04:50:00Z, or a time ago such as 24h or 7d.", name)
}

// statuses reads "failed,lost" and refuses what is none of the known ones.
func statuses[S ~string](values []string, known []S) ([]S, error) {
	var out []S
	for _, v := range values {
		v = strings.TrimSpace(v)
		if v == "" {
			continue
		}
		ok := false
		for _, k := range known {
			ok = ok || string(k) == v
		}
		if !ok {
			names := make([]string, len(known))
			for i, k := range known {
				names[i] = string(k)
			}
			return nil, octopus.InvalidField("status", "status must be among %s.", strings.Join(names, ", "))
		}
		out = append(out, S(v))
	}
	return out, nil
}
