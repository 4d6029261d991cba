package bench

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"sync"
	"time"

	"octopus/sdk"
)

// watchEvery is how often the page and the API are asked while the agents come back, each.
const watchEvery = 100 * time.Millisecond

// watch asks for the agents page and the agents of the API, as a person and a program would, until ctx ends. What it
// returns gives the times, once.
func (f *fleet) watch(ctx context.Context, door *http.Client) (page, api func() Percentiles) {
	return f.ask(ctx, door, "/agents", ""), f.ask(ctx, httpClient(2, f.Insecure), "/api/v1/agents?limit=50", f.APIToken)
}

func (f *fleet) ask(ctx context.Context, client *http.Client, path, token string) func() Percentiles {
	var took samples
	var asking sync.WaitGroup
	asking.Go(func() {
		defer client.CloseIdleConnections()
		for ctx.Err() == nil {
			begun := time.Now()
			err := get(ctx, client, f.Server+path, token)
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				f.failed.add(fmt.Errorf("%s: %w", path, err))
			} else {
				took.add(time.Since(begun))
			}
			pause(ctx, watchEvery)
		}
	})
	return func() Percentiles {
		asking.Wait()
		return took.percentiles()
	}
}

// get reads a page to its end.
func get(ctx context.Context, client *http.Client, url, token string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s", res.Status)
	}
	return nil
}

// signIn spends a sign-in link, which servers give out on their own machine only, and returns a client with its
// cookie.
func signIn(ctx context.Context, c *sdk.Client, insecure bool) (*http.Client, error) {
	link, err := c.LoginLink(ctx)
	if err != nil {
		return nil, err
	}
	client := httpClient(2, insecure)
	if client.Jar, err = cookiejar.New(nil); err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, link.URL, nil)
	if err != nil {
		return nil, err
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("sign in: %w", err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 1<<20)) // so that the connection is used again
	if res.StatusCode >= 400 {
		return nil, fmt.Errorf("sign in: %s", res.Status)
	}
	return client, nil
}
