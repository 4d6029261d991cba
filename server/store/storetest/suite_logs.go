package storetest

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/server/store"
)

func chunk(id string, seq int64, lines ...string) octopus.LogChunk {
	c := octopus.LogChunk{ExecutionID: id, Attempt: 1, Seq: seq, Stream: "stderr"}
	for i, text := range lines {
		c.Lines = append(c.Lines, octopus.LogLine{At: time.UnixMicro(1_700_000_000_000_000 + seq*1000 + int64(i)).UTC(), Text: text})
	}
	return c
}

func testLogs(t *testing.T, s *store.Store) {
	id := one(t, s, func(x *octopus.Execution) { Offered(x, "agt_1") })
	long := strings.Repeat("a long line ", 5000)
	chunks := []octopus.LogChunk{chunk(id, 1, "one", ""), chunk(id, 2, "two", long), chunk(id, 3, "dr\x00ei\xff"), chunk("exe_none", 7, "x")}
	acked, err := s.AppendLogs(t.Context(), chunks)
	check(t, err)
	if acked[id] != 3 || acked["exe_none"] != 7 {
		t.Fatalf("acked %v", acked)
	}
	acked, err = s.AppendLogs(t.Context(), []octopus.LogChunk{chunk(id, 2, "again"), chunk(id, 4, "four")})
	check(t, err)
	equal(t, "acked", acked[id], 4)
	got, err := s.Logs(t.Context(), id, 0, 0)
	check(t, err)
	want := append(chunks[:3:3], chunk(id, 4, "four"))
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("logs\n%.200v\nwant\n%.200v", got, want)
	}
	got, err = s.Logs(t.Context(), id, 1, 1)
	check(t, err)
	if len(got) != 1 || got[0].Seq != 2 {
		t.Fatalf("after 1: %.100v", got)
	}
	got, err = s.LogTail(t.Context(), id, 2)
	check(t, err)
	if len(got) != 2 || got[0].Seq != 3 || got[1].Seq != 4 {
		t.Fatalf("tail: %.100v", got)
	}
	x, err := s.Execution(t.Context(), id)
	check(t, err)
	equal(t, "last log", x.LastLog, "four")
	equal(t, "log sequence", x.LogSeq, 4)
	// A step does not put an older line back.
	x = step(t, s, id, Accept)
	equal(t, "last log after a step", x.LastLog, "four")
}

// testLogTimes: lines are in the order of their times, though a chunk travelled longer than the next.
func testLogTimes(t *testing.T, s *store.Store) {
	id := one(t, s, func(x *octopus.Execution) { Offered(x, "agt_1") })
	slow, fast, next := chunk(id, 1, "slow"), chunk(id, 2, "fast", "later"), chunk(id, 3, "next")
	newest := fast.Lines[0].At.Add(500 * time.Microsecond)
	slow.Lines[0].At = newest
	fast.Lines[1].At = newest.Add(-time.Microsecond)
	for _, c := range []octopus.LogChunk{slow, fast, next} {
		_, err := s.AppendLogs(t.Context(), []octopus.LogChunk{c})
		check(t, err)
	}
	got, err := s.Logs(t.Context(), id, 0, 0)
	check(t, err)
	var times []time.Time
	for _, c := range got {
		for _, l := range c.Lines {
			times = append(times, l.At)
		}
	}
	if want := []time.Time{newest, newest, newest, next.Lines[0].At}; !reflect.DeepEqual(times, want) {
		t.Errorf("times of the lines\n%v\nwant\n%v", times, want)
	}
}

func testBlobs(t *testing.T, s *store.Store) {
	check(t, s.SaveBlob(t.Context(), "aa", []byte("data")))
	check(t, s.SaveBlob(t.Context(), "aa", []byte("data")))
	data, err := s.Blob(t.Context(), "aa")
	check(t, err)
	equal(t, "blob", string(data), "data")
	_, err = s.Blob(t.Context(), "bb")
	wantCode(t, err, octopus.CodeNotFound)
}

// testOddText: what machines and people send is stored, whatever it holds.
func testOddText(t *testing.T, s *store.Store) {
	odd := "NUL \x00, broken \xff\xfe, emoji 🐙, quote ' \" \\ % _"
	want := strings.NewReplacer("\x00", "\uFFFD", "\xff\xfe", "\uFFFD").Replace(odd)
	made := NewRun(s, 1, func(_ int, x *octopus.Execution) { Offered(x, "agt_1"); x.AgentName = odd })
	made.Run.TaskName, made.Run.CreatedBy, made.Run.Labels = odd, odd, map[string]string{"k": odd}
	_, _, err := s.CreateRun(t.Context(), made)
	check(t, err)
	id := made.Executions[0].ID
	step(t, s, id, Accept)
	x, err := s.Step(t.Context(), id, func(x octopus.Execution, now time.Time) (store.Change, error) {
		change, err := End(octopus.Failed)(x, now)
		change.Next.Message, change.Next.Reason = odd, &octopus.Reason{Code: "trap", Message: odd}
		change.Events[0].Message = odd
		return change, err
	})
	check(t, err)
	x, err = s.Execution(t.Context(), x.ID)
	check(t, err)
	equal(t, "message", x.Message, want)
	equal(t, "reason", x.Reason.Message, want)
	equal(t, "agent", x.AgentName, want)
	found, _, err := s.Executions(t.Context(), store.ExecutionFilter{Text: `\ % _`}, store.Page{})
	check(t, err)
	equal(t, "found by odd text", len(found), 1)
	found, _, err = s.Executions(t.Context(), store.ExecutionFilter{Text: `%%`}, store.Page{})
	check(t, err)
	equal(t, "found by a pattern", len(found), 0)
}
