# Installs an Octopus agent as a Windows service. In a PowerShell that runs as administrator:
#
#   & ([scriptblock]::Create((irm URL/install.ps1))) -Token TOKEN
#
# It downloads the program from the server and checks its SHA-256, puts it into Program Files, and starts the
# service "octopus-agent". Running it again updates the program.
param(
    [string]$Token = '',
    [string]$Server = '@URL@',
    [string]$Policy = '',
    [string]$CAFile = '',
    [ValidateSet('', 'auto', 'websocket', 'http')][string]$Transport = '',
    [switch]$AllowScripts,
    [switch]$Insecure,
    [switch]$NoService,
    [switch]$Uninstall
)
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
[Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12

$Server = $Server.TrimEnd('/')
$folder = Join-Path $env:ProgramFiles 'Octopus'
$program = Join-Path $folder 'octopus.exe'
$data = Join-Path $env:ProgramData 'Octopus'
$tokenFile = Join-Path $data 'token'

$identity = New-Object Security.Principal.WindowsPrincipal([Security.Principal.WindowsIdentity]::GetCurrent())
if (-not $identity.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)) {
    throw 'Installing needs an administrator. Open PowerShell with "Run as administrator" and try again.'
}

if ($Uninstall) {
    if (Test-Path $program) { & $program agent uninstall }
    Remove-Item -Force -ErrorAction SilentlyContinue $program, $tokenFile
    Write-Host "The agent is removed. Its data is still in $data."
    return
}

$uri = [Uri]$Server
if ($uri.Scheme -eq 'http' -and -not $uri.IsLoopback -and -not $Insecure) {
    throw "Plain http to $Server could be read by anyone on the way. Use https, or add -Insecure if you accept that."
}

$name = 'octopus-windows-amd64.exe'
$sums = (Invoke-WebRequest -UseBasicParsing "$Server/dist/SHA256SUMS").Content
if ($sums -is [byte[]]) { $sums = [Text.Encoding]::ASCII.GetString($sums) }
$want = ''
foreach ($line in $sums -split "`n") {
    $words = $line.Trim() -split '\s+\*?', 2
    if ($words.Count -eq 2 -and $words[1] -eq $name) { $want = $words[0].ToLower() }
}
if (-not $want) { throw "The server has no program for windows/amd64. On the server, run: make dist" }

New-Item -ItemType Directory -Force $folder, $data | Out-Null
$current = ''
if (Test-Path $program) { $current = (Get-FileHash -Algorithm SHA256 $program).Hash.ToLower() }
if ($current -eq $want) {
    Write-Host "$program is up to date."
} else {
    Write-Host "Downloading $name from $Server ..."
    $new = "$program.new"
    Invoke-WebRequest -UseBasicParsing "$Server/dist/$name" -OutFile $new
    $have = (Get-FileHash -Algorithm SHA256 $new).Hash.ToLower()
    if ($have -ne $want) {
        Remove-Item -Force $new
        throw "The download is damaged: its SHA-256 is $have, not $want. Nothing was installed."
    }
    Stop-Service octopus-agent -ErrorAction SilentlyContinue
    Move-Item -Force $new $program
    Write-Host "Installed $program."
}

# Only the system and administrators may read the agent's key and the token.
& icacls $data /inheritance:r /grant:r '*S-1-5-18:(OI)(CI)F' '*S-1-5-32-544:(OI)(CI)F' | Out-Null
if ($Token) { Set-Content -Path $tokenFile -Value $Token -Encoding ascii }

$arguments = @('agent', 'install', '--server', $Server, '--data', (Join-Path $data 'agent'), '--token-file', $tokenFile)
if ($Policy) { $arguments += @('--policy', $Policy) }
if ($CAFile) { $arguments += @('--ca-file', $CAFile) }
if ($Transport) { $arguments += @('--transport', $Transport) }
if ($AllowScripts) { $arguments += '--allow-scripts' }
if ($Insecure) { $arguments += '--insecure' }
if ($NoService) {
    Write-Host "Start the agent with: $program $(($arguments | Where-Object { $_ -ne 'install' }) -join ' ')"
    return
}
& $program @arguments
if ($LASTEXITCODE -ne 0) { throw 'The service could not be installed.' }
Write-Host "On a page: $Server/agents"
