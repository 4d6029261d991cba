package auth

import (
	"context"
	"net/http"
	"time"

	"octopus/internal/octopus"
)

// Auth knows who is calling. Make it with [New]; its methods may be called from any goroutine.
type Auth struct{}

// New returns an Auth. It starts nothing; [Auth.Run] writes the batched last-used times.
func New(Config) (*Auth, error) { panic("not built yet") }

// Run writes the last-used times of API tokens now and then; it returns nil when ctx ends, after a last write.
func (a *Auth) Run(context.Context) error { panic("not built yet") }

// Sessions puts the subject of a valid session cookie into the request's context and slides its expiry. Requests
// without one pass unchanged: handlers ask [FromContext] and [Can].
func (a *Auth) Sessions(http.Handler) http.Handler { panic("not built yet") }

// Tokens does the same for "Authorization: Bearer oct_…". A bad token is answered 401 here.
func (a *Auth) Tokens(http.Handler) http.Handler { panic("not built yet") }

// Login checks a password and opens a session: give cookie to [Auth.SetCookie].
func (a *Auth) Login(ctx context.Context, username, password, ip, userAgent string) (cookie string, err error) {
	panic("not built yet")
}

// Logout ends the session of a cookie.
func (a *Auth) Logout(ctx context.Context, cookie string) error { panic("not built yet") }

// SetCookie and ClearCookie write the session cookie.
func (a *Auth) SetCookie(http.ResponseWriter, string) { panic("not built yet") }

// ClearCookie removes it.
func (a *Auth) ClearCookie(http.ResponseWriter) { panic("not built yet") }

// ClientIP is the address of the caller.
func (a *Auth) ClientIP(*http.Request) string { panic("not built yet") }

// SetupNeeded reports whether no user exists yet.
func (a *Auth) SetupNeeded(context.Context) bool { panic("not built yet") }

// SetupCode makes the one-time code for the first user; the server prints it. An older code stops working.
func (a *Auth) SetupCode(context.Context) (string, error) { panic("not built yet") }

// Setup makes the first administrator and signs it in.
func (a *Auth) Setup(ctx context.Context, code, username, password, ip, userAgent string) (cookie string, err error) {
	panic("not built yet")
}

// Bootstrap makes an administrator with a random password unless one of that name exists.
func (a *Auth) Bootstrap(ctx context.Context, username string) (user octopus.User, password string, err error) {
	panic("not built yet")
}

// LoginLink makes a secret that signs username in once, from this machine, within [LoginLinkTTL].
func (a *Auth) LoginLink(ctx context.Context, username string) (secret string, err error) {
	panic("not built yet")
}

// CheckLoginLink tells whose link it is without spending it: the GET page shows the name on its button.
func (a *Auth) CheckLoginLink(ctx context.Context, secret, ip string) (octopus.User, error) {
	panic("not built yet")
}

// ConsumeLoginLink spends a link and opens a session. Only from a loopback address.
func (a *Auth) ConsumeLoginLink(ctx context.Context, secret, ip, userAgent string) (cookie string, err error) {
	panic("not built yet")
}

// CreateToken makes an API token of the subject's own. The secret is returned once and never stored. A role
// above the subject's is refused; "" is the subject's role. ttl 0 never expires.
func (a *Auth) CreateToken(ctx context.Context, s Subject, name string, role octopus.Role, ttl time.Duration) (octopus.Token, string, error) {
	panic("not built yet")
}

// MyTokens lists the subject's own tokens.
func (a *Auth) MyTokens(ctx context.Context, s Subject) ([]octopus.Token, error) { panic("not built yet") }

// RevokeToken ends a token: one's own, or anybody's for an administrator.
func (a *Auth) RevokeToken(ctx context.Context, s Subject, id string) error { panic("not built yet") }

// NewUser is what [Auth.CreateUser] needs.
type NewUser struct {
	Username, Password, Email, DisplayName string
	Role                                   octopus.Role
}

// CreateUser makes a user.
func (a *Auth) CreateUser(ctx context.Context, s Subject, u NewUser) (octopus.User, error) {
	panic("not built yet")
}

// UserChange names what to change of a user; nil leaves a field alone.
type UserChange struct {
	Email, DisplayName, Password, Zone, Theme *string
	Role                                      *octopus.Role
	Active                                    *bool
	Params                                    []byte // JSON object, nil leaves it
}

// UpdateUser changes a user. The last active administrator stays one.
func (a *Auth) UpdateUser(ctx context.Context, s Subject, idOrName string, c UserChange) (octopus.User, error) {
	panic("not built yet")
}

// DeleteUser removes a user with its sessions and tokens. The last active administrator stays.
func (a *Auth) DeleteUser(ctx context.Context, s Subject, idOrName string) error { panic("not built yet") }

// ChangePassword checks the old password, sets the new one and ends the user's other sessions.
func (a *Auth) ChangePassword(ctx context.Context, s Subject, old, new string) error {
	panic("not built yet")
}

// Nonce makes a nonce for an agent's signed request: stateless, valid for [NonceTTL].
func (a *Auth) Nonce() (nonce string, valid time.Duration) { panic("not built yet") }

// VerifyAgent checks a signed request of an agent and returns the agent.
func (a *Auth) VerifyAgent(context.Context, *http.Request) (octopus.Agent, error) {
	panic("not built yet")
}

// CreateJoinToken makes a join token. The secret is returned once. maxUses 0: no limit; ttl 0: [JoinTokenTTL].
func (a *Auth) CreateJoinToken(ctx context.Context, s Subject, name string, labels map[string]string, maxUses int, ttl time.Duration) (octopus.JoinToken, string, error) {
	panic("not built yet")
}

// HashSecret is what is stored of a token, a session or a join token: SHA-256, for the secrets are random.
func HashSecret(secret string) []byte { panic("not built yet") }
