#!/bin/sh
# Runs on the operator's machine when `pulumi destroy` begins: sees that the server can be logged in to, as the teardown
# is about to do, or says how to go on. The SSH key comes on standard input, or nothing does and the agent has it.
# In the environment: SERVER and STACK (their names), SSH_CONFIG and KNOWN_HOSTS (texts), NOTE (a file that may go).
set -eu

start_agent() { # key
    eval "$(ssh-agent -s)" >/dev/null
    printf '%s\n' "$1" | SSH_ASKPASS_REQUIRE=never ssh-add -q - 2>/dev/null
}

reason() { # what ssh said; over a jump host its last line tells the least
    printf '%s\n' "$1" | grep -m 1 -E 'verification|denied|resolve|refused|timed out|No route|unreachable|failed:' ||
        printf '%s\n' "$1" | tail -n 1
}

end() {
    [ -z "$own_agent" ] || kill "$SSH_AGENT_PID"
    rm -rf "$directory"
}

main() {
    own_agent='' directory=$(mktemp -d)
    trap end EXIT
    key=$(tr -d '\r')
    if [ -n "$key" ]; then
        start_agent "$key"
        own_agent=yes
    fi
    printf '%s' "$SSH_CONFIG" >"$directory/config"
    printf '%s' "$KNOWN_HOSTS" >"$directory/known_hosts"
    # OpenSSH looks for the file of host keys from where it was started.
    if said=$(cd "$directory" && ssh -F config -T server true 2>&1 </dev/null); then
        rm -f "$NOTE"
        return 0
    fi
    cat <<END
error: server $SERVER: nothing is removed, for nobody can log in to it: $(reason "${said:-ssh said nothing}")
fix: put that right, and run pulumi destroy again: what is left of the stack in the state is enough for it
      another machine has its place: set codesensei:server (host, hostKey); pulumi up brings everything there
      it is gone for good: pulumi stack rm --force $STACK forgets the stack, and connects to nothing
      (with --preserve-config the stack file stays)
END
    return 1
}

main
