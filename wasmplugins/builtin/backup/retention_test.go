package main

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestObsolete(t *testing.T) {
	t.Parallel()
	var all []archive // every six hours, the newest at noon of Sunday 2026-02-01
	newest := time.Date(2026, 2, 1, 12, 0, 0, 0, time.UTC)
	for i := range 120 {
		all = append(all, archive{at: newest.Add(-time.Duration(i) * 6 * time.Hour)})
	}
	last := func(n int) *int { return &n }
	for name, c := range map[string]struct {
		rule retention
		keep []int
	}{
		"default":      {retention{}, []int{0, 1, 2, 3, 4, 5, 6}},
		"last":         {retention{Last: last(2)}, []int{0, 1}},
		"at least one": {retention{Last: last(0)}, []int{0}},
		// The newest of a day is that of 18:00, 3 before the next day's noon; of today that of 12:00.
		"daily":  {retention{Last: last(1), Daily: 3}, []int{0, 3, 7}},
		"weekly": {retention{Last: last(1), Weekly: 3}, []int{0, 27, 55}},
		"all":    {retention{Last: last(2), Daily: 2, Weekly: 2}, []int{0, 1, 3, 27}},
	} {
		old := c.rule.obsolete(all)
		var keep []int
		for i, a := range all {
			if !slices.Contains(old, a) {
				keep = append(keep, i)
			}
		}
		if !slices.Equal(keep, c.keep) {
			t.Errorf("%s: kept %v, want %v", name, keep, c.keep)
		}
	}
}

func TestArchiveNames(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 31, 2, 0, 0, 0, time.UTC)
	for _, format := range []string{"tar.gz", "zip"} {
		if got, ok := parseName(archiveName("a-b", at, format), "a-b"); !ok || !got.Equal(at) {
			t.Errorf("%s: %s %v", format, got, ok)
		}
	}
	for _, other := range []string{"b-20260131T020000Z.zip", "a-b-20260131T020000Z.zip", "a-20260131T020000Z", "a-20260131T020000Z.zip.tar.gz", "a-2026.zip", "a.zip", "a-20260131T020000Z.zip.sha256"} {
		if at, ok := parseName(other, "a"); ok {
			t.Errorf("%s is taken for an archive of %s", other, at)
		}
	}
}

func TestPaths(t *testing.T) {
	t.Parallel()
	for where, want := range map[string]string{"/etc/a": "etc/a", `C:\x\y`: "C/x/y", "/a/../../b": "b"} {
		if got := inside(where); got != want {
			t.Errorf("inside(%q) = %q", where, got)
		}
	}
	for where, want := range map[string]string{"/": "/", "/a/": "/a", `C:\`: `C:\`, `C:\a\`: `C:\a`} {
		if got := clean(where); got != want {
			t.Errorf("clean(%q) = %q", where, got)
		}
	}
	if got := join("/", "a") + join(`C:\`, "b") + join(`C:\x`, "c"); got != `/aC:\bC:\x\c` {
		t.Error(got)
	}
	if m := mode("rwxr-x--x").String(); !strings.HasSuffix(m, "rwxr-x--x") {
		t.Error(m)
	}
}
