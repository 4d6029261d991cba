package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"octopus/sdk/plugin"
)

// retention says which archives stay: the last few, and the newest of each of the last days and weeks that have one.
type retention struct {
	Last   *int `json:"keep_last"`
	Daily  int  `json:"keep_daily"`
	Weekly int  `json:"keep_weekly"`
}

const stamp = "20060102T150405Z"

func archiveName(name string, at time.Time, format string) string {
	return name + "-" + at.UTC().Format(stamp) + "." + format
}

// parseName says when an archive of this name was made; ok is false where it is none.
func parseName(file, name string) (at time.Time, ok bool) {
	rest, mine := strings.CutPrefix(file, name+"-")
	text, isTar := strings.CutSuffix(rest, ".tar.gz")
	text, isZip := strings.CutSuffix(text, ".zip")
	at, err := time.Parse(stamp, text)
	return at, mine && isTar != isZip && err == nil
}

type archive struct {
	name string
	at   time.Time
}

// obsolete are those that no rule keeps. The list is the newest first.
func (k retention) obsolete(all []archive) []archive {
	last := 7
	if k.Last != nil {
		last = *k.Last
	}
	days, weeks := map[string]bool{}, map[string]bool{}
	var old []archive
	for i, a := range all {
		year, week := a.at.ISOWeek()
		keep := i < max(last, 1)
		if d := a.at.Format(time.DateOnly); !days[d] && len(days) < k.Daily {
			days[d], keep = true, true
		}
		if w := fmt.Sprint(year, " ", week); !weeks[w] && len(weeks) < k.Weekly {
			weeks[w], keep = true, true
		}
		if !keep {
			old = append(old, a)
		}
	}
	return old
}

// apply removes what no rule keeps, and what earlier runs left unfinished. Only archives of this name are looked at.
func (k retention) apply(ctx *plugin.Context, p params, r *result) error {
	names := map[string]bool{}
	err := list(ctx, clean(p.To), func(f facts) error {
		if _, ok := parseName(strings.TrimSuffix(f.Name, sidecar), p.Name); ok && f.Type == "file" {
			names[f.Name] = true
		}
		return nil
	})
	if ctx.Execution.DryRun { // what would be there now
		names[base(r.Archive)], names[base(r.Archive)+sidecar] = true, true
		if plugin.Code(err) == "not_found" {
			err = nil
		}
	}
	if err != nil {
		return err
	}
	var whole []archive
	var gone []string
	for name := range names {
		at, _ := parseName(name, p.Name)
		switch {
		case strings.HasSuffix(name, sidecar):
		case names[name+sidecar]:
			whole = append(whole, archive{name, at})
		case name != base(r.Archive) && now().Sub(at) > unfinished:
			gone = append(gone, name)
		}
	}
	slices.SortFunc(whole, func(a, b archive) int { return b.at.Compare(a.at) })
	for _, a := range k.obsolete(whole) {
		gone = append(gone, a.name)
	}
	r.Kept = len(whole)
	slices.Sort(gone)
	for _, name := range gone {
		if names[name+sidecar] { // first: without it the archive counts no more
			if err := ctx.Call("file.delete", pathRequest{join(p.To, name+sidecar)}, nil); err != nil {
				return err
			}
			r.Kept--
		}
		if err := ctx.Call("file.delete", pathRequest{join(p.To, name)}, nil); err != nil {
			return err
		}
		r.Removed = append(r.Removed, join(p.To, name))
	}
	return nil
}

// unfinished is the age at which an archive that was never finished belongs to no run any more.
const unfinished = time.Hour
