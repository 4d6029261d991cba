package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"

	"github.com/spf13/cobra"

	"octopus/internal/version"
	"octopus/sdk"
)

// client talks to the server of the current context.
func (a *app) client() (*sdk.Client, error) {
	_, c, err := a.currentContext()
	if err != nil {
		return nil, err
	}
	return newClient(c)
}

func newClient(c Context) (*sdk.Client, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, usagef("%q is not the address of a server such as https://octopus.example.com.", c.URL)
	}
	options := []sdk.Option{sdk.WithUserAgent("octopus-cli/" + version.Version)}
	if c.CAFile != "" {
		roots, err := rootsOf(c.CAFile)
		if err != nil {
			return nil, err
		}
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
		options = append(options, sdk.WithHTTPClient(&http.Client{Transport: transport}))
	}
	return sdk.New(c.URL, c.APIToken, options...), nil
}

func rootsOf(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, usagef("The file with the certificate authority cannot be read: %v.", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, usagef("%s holds no certificate in PEM format.", path)
	}
	return roots, nil
}

// online makes a command that talks to the server.
func (a *app) online(use, short string, args cobra.PositionalArgs, do func(ctx context.Context, c *sdk.Client, args []string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: args,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			return do(cmd.Context(), c, args)
		},
	}
}

// unreachable turns a failed connection into a sentence; nil when err is something else.
func unreachable(err error) error {
	var failed *url.Error
	if !errors.As(err, &failed) || errors.Is(err, context.Canceled) {
		return nil
	}
	server := failed.URL
	if u, parseErr := url.Parse(failed.URL); parseErr == nil {
		server = u.Scheme + "://" + u.Host
	}
	return fmt.Errorf("No server answers at %s: %w. Is it running? octopus context list shows where commands go.", server, failed.Err)
}
