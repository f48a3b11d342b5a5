# Prints each value as Perl does. The values' names are the arguments.
use strict;
use warnings;
use Data::Dumper;
use JSON::PP;
use MIME::Base64;

$Data::Dumper::Terse = 1;
for my $name (@ARGV) {
    my $v = $ENV{$name};
    my $is = sub { print "\n=-=-=Perl: $_[0] $name=-=-=\n$_[1]"; };
    $is->('print', $v);
    $is->('Data::Dumper', Dumper({ a => $v }));
    { local $Data::Dumper::Useqq = 1; $is->('Data::Dumper, Useqq', Dumper({ a => $v })); }
    $is->('quotemeta', quotemeta $v);
    $is->('MIME::Base64', encode_base64($v));
    $is->('URI escape', $v =~ s/([^A-Za-z0-9\-._~])/sprintf '%%%02X', ord $1/ger);
    $is->('unpack H*', unpack 'H*', $v);
    my $text = $v;
    utf8::decode($text) or next;
    $is->('JSON::PP', JSON::PP->new->utf8->encode([$text]));
    $is->('JSON::PP, ascii', JSON::PP->new->ascii->encode([$text]));
}
