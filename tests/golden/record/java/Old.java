// Sends one of everything com.posthog.java:posthog can send to the server in HOGFLARE_RECORD_URL.
import com.posthog.java.PostHog;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

public class Old {
  public static void main(String[] arguments) {
    PostHog client =
        new PostHog.Builder("phc_golden").host(System.getenv("HOGFLARE_RECORD_URL")).build();
    Map<String, Object> properties = new HashMap<>();
    properties.put("amount", 29.99);
    properties.put("count", 9007199254740993L);
    properties.put("text", "grüße 🦔");
    properties.put("nested", Map.of("a", Arrays.asList(1, 2)));
    client.capture("java-user", "purchase", properties);
    client.identify("java-user", Map.of("email", "java@example.com"), Map.of("first", "java"));
    client.set("java-user", Map.of("plan", "pro"));
    client.setOnce("java-user", Map.of("plan", "free"));
    client.alias("java-user", "java-alias");
    Map<String, Object> personless = new HashMap<>();
    personless.put("$process_person_profile", false);
    client.capture("java-anonymous", "personless", personless);
    client.shutdown();
    System.exit(0);
  }
}
