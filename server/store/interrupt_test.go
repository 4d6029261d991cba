package store

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestInterruptedRead gives up a read while SQLite works on it: that is no failure of the database's.
func TestInterruptedRead(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	const endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
	_, err := one[int64](s.reads.row(ctx, endless))
	if err = s.fail("endless", err); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
