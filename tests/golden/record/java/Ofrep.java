// Asks OpenFeature's remote provider for flags of the server in HOGFLARE_RECORD_URL and prints what it read.
import com.google.common.collect.ImmutableList;
import com.google.common.collect.ImmutableMap;
import dev.openfeature.contrib.providers.ofrep.OfrepProvider;
import dev.openfeature.contrib.providers.ofrep.OfrepProviderOptions;
import dev.openfeature.sdk.Client;
import dev.openfeature.sdk.FlagEvaluationDetails;
import dev.openfeature.sdk.ImmutableContext;
import dev.openfeature.sdk.OpenFeatureAPI;
import dev.openfeature.sdk.Structure;
import dev.openfeature.sdk.Value;
import java.time.Duration;
import java.util.Map;

public class Ofrep {
  public static void main(String[] arguments) throws Exception {
    OfrepProviderOptions options =
        OfrepProviderOptions.builder()
            .baseUrl(System.getenv("HOGFLARE_RECORD_URL"))
            .headers(ImmutableMap.of("Authorization", ImmutableList.of("Bearer phc_golden")))
            .requestTimeout(Duration.ofSeconds(60))
            .build();
    OpenFeatureAPI.getInstance().setProviderAndWait(OfrepProvider.constructProvider(options));
    Client client = OpenFeatureAPI.getInstance().getClient();
    Map<String, Value> context =
        Map.of(
            "email", new Value("java@example.com"),
            "groups", new Value(Structure.mapToStructure(Map.of("company", "acme"))),
            "groupProperties",
                new Value(Structure.mapToStructure(Map.of("company", Map.of("tier", "gold")))));
    ImmutableContext who = new ImmutableContext("java-user", context);
    StringBuilder out = new StringBuilder("{\"remote\":{");
    for (String key : new String[] {"on", "off", "staff", "gold"}) {
      // The code's default is what the server must not say.
      FlagEvaluationDetails<Boolean> found = client.getBooleanDetails(key, key.equals("off"), who);
      if (found.getErrorCode() != null) throw new IllegalStateException(key + ": " + found);
      out.append('"').append(key).append("\":").append(found.getValue()).append(',');
    }
    FlagEvaluationDetails<String> look = client.getStringDetails("look", "default", who);
    out.append("\"look\":\"").append(look.getValue()).append("\"},\"variant\":\"");
    out.append(look.getVariant()).append("\",\"missing\":\"");
    out.append(client.getBooleanDetails("no-such-flag", true, who).getErrorCode()).append("\"}");
    System.out.println(out);
    System.exit(0);
  }
}
