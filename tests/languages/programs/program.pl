# One program for every question of tests/languages.rs. By hand: see README.md here.
use strict;
use warnings;

$| = 1;

# Bytes of memory that are this process's own, as the kernel counts them.
sub own_memory {
    open my $statm, '<', '/proc/self/statm' or die "statm: $!";
    my (undef, $resident, $shared) = split ' ', <$statm>;
    return ($resident - $shared) * 4096;
}

my ($what, $target, $seconds) = @ARGV;
if ($what eq 'hello') {
    my ($a, $b) = split ' ', <STDIN>;
    print 'hello ', $a + $b, "\n";
} elsif ($what eq 'fill') {
    my (@blocks, $block);
    while (own_memory() < $target) {
        $block = 1 << 20;
        push @blocks, 'x' x $block;
    }
    print "filled\n";
    sleep $seconds;
} elsif ($what eq 'loop') {
    1 while 1;
} elsif ($what eq 'sleep') {
    sleep 60;
} else {
    exit 2;
}
