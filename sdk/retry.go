package sdk

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// Pauses between two tries of one call.
const (
	firstPause = 200 * time.Millisecond
	maxPause   = 10 * time.Second
)

// send makes a call, again where that is safe: the server said 429 or 503, which means that it did nothing, or
// the connection broke and the call is one that changes nothing or carries an Idempotency-Key.
func (c *Client) send(ctx context.Context, r *call) (*http.Response, error) {
	for try := 0; ; try++ {
		req, err := c.request(ctx, r)
		if err != nil {
			return nil, err
		}
		res, err := c.http.Do(req)
		if err == nil && res.StatusCode < 300 {
			return res, nil
		}
		again, pause := repeatable(r), firstPause<<min(try, 6)
		if err == nil {
			failure := readError(res)
			again = failure.Status == http.StatusTooManyRequests || failure.Status == http.StatusServiceUnavailable
			if failure.RetryAfter > 0 {
				pause = failure.RetryAfter
			}
			err = failure
		}
		if !again || try >= c.retries || pause > maxPause || ctx.Err() != nil {
			return nil, err
		}
		if !sleep(ctx, pause+rand.N(pause/4+1)) {
			return nil, err
		}
	}
}

// repeatable reports whether making the call twice is the same as making it once.
func repeatable(r *call) bool {
	return r.method == http.MethodGet || r.header.Get("Idempotency-Key") != ""
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// retryAfter reads a Retry-After header: seconds, or a date.
func retryAfter(header string) time.Duration {
	if seconds, err := strconv.Atoi(header); err == nil {
		return time.Duration(max(seconds, 0)) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}
