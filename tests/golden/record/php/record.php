<?php

// Sends one of everything posthog-php can send to the server in HOGFLARE_RECORD_URL, by each of its
// consumers, plain and as gzip. Argument: the SDK's lib folder.
namespace Symfony\Component\Clock {
    // All that the SDK uses of symfony/clock.
    final class Clock
    {
        public static function get(): self
        {
            return new self();
        }

        public function now(): \DateTimeImmutable
        {
            return new \DateTimeImmutable();
        }
    }
}

namespace {
    use PostHog\PostHog;

    $lib = $argv[1];
    spl_autoload_register(function (string $class) use ($lib): void {
        $file = $lib . '/' . str_replace('\\', '/', substr($class, strlen('PostHog\\'))) . '.php';
        if (str_starts_with($class, 'PostHog\\') && is_file($file)) {
            require $file;
        }
    });

    $url = getenv('HOGFLARE_RECORD_URL');
    foreach (['lib_curl', 'socket', 'fork_curl'] as $consumer) {
        foreach ([false, true] as $gzip) {
            PostHog::init('phc_golden', [
                'host' => $url,
                'ssl' => false,
                'consumer' => $consumer,
                'compress_request' => $gzip,
                // Else fork_curl removes the packed body before its curl has read it.
                'debug' => $gzip && $consumer === 'fork_curl',
            ]);
            PostHog::capture([
                'distinctId' => 'php-user',
                'event' => 'purchase',
                'properties' => [
                    'amount' => 29.99,
                    'count' => 9007199254740993,
                    'text' => 'grüße 🦔',
                    'nested' => ['a' => [1, 2], 'b' => null],
                    '$set' => [],
                ],
            ]);
            PostHog::capture([
                'distinctId' => 'php-user',
                'event' => 'in the past',
                'timestamp' => '2026-01-02T03:04:05.678+05:30',
                'properties' => ['$groups' => ['company' => 'acme']],
            ]);
            PostHog::identify(['distinctId' => 'php-user', 'properties' => ['email' => 'php@example.com']]);
            PostHog::alias(['distinctId' => 'php-user', 'alias' => 'php-alias']);
            PostHog::groupIdentify(['groupType' => 'company', 'groupKey' => 'acme', 'properties' => ['size' => 12]]);
            PostHog::capture([
                'distinctId' => 'php-anonymous',
                'event' => 'personless',
                'properties' => ['$process_person_profile' => false],
            ]);
            PostHog::flush();
            usleep(500_000);
        }
    }
}
