// A client on the classes that Mono's `wsdl` generates from our descriptions: the API of System.Web.Services that genuine
// clients of this protocol are written with, in an implementation that is not ours. conversation.py says what is read
// from standard input and written to standard output.
//
//     mono client.exe BASE-URL SCHEME     SCHEME: Basic or NTLM; RMS_LOGIN and RMS_PASSWORD say who.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Net;
using System.Text;
using System.Web.Services.Protocols;
using System.Xml;

static class Client
{
    static void Main(string[] arguments)
    {
        var services = new Services(arguments[0], arguments[1]);
        for (var question = Message.Read(); question != null; question = Message.Read())
        {
            Answer(services, question).Write();
        }
    }

    static Message Answer(Services services, Message question)
    {
        var answer = new Message();
        try
        {
            Ask(services, question, answer);
            return answer;
        }
        catch (SoapException fault)
        {
            return new Message { { "code", fault.Code.Name }, { "fault", fault.Message } };
        }
    }

    static void Ask(Services services, Message question, Message answer)
    {
        switch (question.One("operation"))
        {
            case "GetServerInfo": GetServerInfo(services, question, answer); break;
            case "FindServiceLocationsForUser": FindServiceLocationsForUser(services, question, answer); break;
            case "GetLicensorCertificate": GetLicensorCertificate(services, question, answer); break;
            case "Certify": Certify(services, question, answer); break;
            case "GetClientLicensorCert": GetClientLicensorCert(services, question, answer); break;
            case "AcquireIssuanceLicense": AcquireIssuanceLicense(services, question, answer); break;
            case "AcquireTemplateInformation": AcquireTemplateInformation(services, question, answer); break;
            case "AcquireTemplates": AcquireTemplates(services, question, answer); break;
            case "AcquireLicense": AcquireLicense(services, question, answer); break;
            case "AcquirePreLicense": AcquirePreLicense(services, question, answer); break;
            default: throw new ArgumentException("no such operation: " + question.One("operation"));
        }
    }

    static void GetServerInfo(Services services, Message question, Message answer)
    {
        var requests = question.All("type").Select(name => new Server.ServerInfoRequest
        {
            Type = (Server.ServerInfoType)Enum.Parse(typeof(Server.ServerInfoType), name),
        });
        answer.Add("information", services.Server(question).GetServerInfo(requests.ToArray()).OuterXml);
    }

    static void FindServiceLocationsForUser(Services services, Message question, Message answer)
    {
        var service = services.Server(question);
        var requests = question.All("type").Select(name => new Server.ServiceLocationRequest
        {
            Type = (Server.ServiceType)Enum.Parse(typeof(Server.ServiceType), name),
        });
        foreach (var location in service.FindServiceLocationsForUser(requests.ToArray()))
        {
            answer.Add("type", location.Type.ToString());
            answer.Add("url", location.URL ?? "");
        }
        answer.Add("version", service.VersionDataValue.MaximumVersion);
    }

    static void GetLicensorCertificate(Services services, Message question, Message answer)
    {
        var service = services.Server(question);
        answer.Add("certificate", service.GetLicensorCertificate().CertificateChain);
        answer.Add("version", service.VersionDataValue.MaximumVersion);
    }

    static void Certify(Services services, Message question, Message answer)
    {
        var service = services.Certification(question);
        var found = service.Certify(new Certification.CertifyParams
        {
            MachineCertificateChain = question.Nodes("certificate"),
            Persistent = true,
        });
        answer.Add("certificate", found.CertificateChain);
        answer.Add("quota", found.Quota.Maximum.ToString());
        answer.Add("version", service.VersionDataValue.MaximumVersion);
    }

    static void GetClientLicensorCert(Services services, Message question, Message answer)
    {
        var service = services.Publishing(question);
        var item = new Publishing.GetClientLicensorCertParams { PersonaCerts = question.Nodes("certificate") };
        answer.Add("certificate", service.GetClientLicensorCert(new[] { item }).Single().CertificateChain);
        answer.Add("version", service.VersionDataValue.MaximumVersion);
    }

    static void AcquireIssuanceLicense(Services services, Message question, Message answer)
    {
        var service = services.Publishing(question);
        var item = new Publishing.AcquireIssuanceLicenseParams
        {
            UnsignedIssuanceLicense = question.Nodes("license").Single(),
        };
        answer.Add("certificate", service.AcquireIssuanceLicense(new[] { item }).Single().CertificateChain);
        answer.Add("version", service.VersionDataValue.MaximumVersion);
    }

    static void AcquireTemplateInformation(Services services, Message question, Message answer)
    {
        var service = services.Templates(question);
        var found = service.AcquireTemplateInformation();
        answer.Add("key", found.ServerPublicKey);
        foreach (var entry in found.GuidHash)
        {
            answer.Add("guid", entry.Guid);
            answer.Add("hash", entry.Hash);
        }
        answer.Add("version", service.VersionDataValue.MaximumVersion);
    }

    static void AcquireTemplates(Services services, Message question, Message answer)
    {
        var service = services.Templates(question);
        foreach (var entry in service.AcquireTemplates(question.All("guid").ToArray()))
        {
            answer.Add("guid", entry.Guid);
            answer.Add("template", entry.Template ?? "");
        }
        answer.Add("version", service.VersionDataValue.MaximumVersion);
    }

    // A question has one account certificate for all its publishing licences.
    static void AcquireLicense(Services services, Message question, Message answer)
    {
        var service = services.Licensing(question);
        var items = question.Items("license").Select(license => new Licensing.AcquireLicenseParams
        {
            LicenseeCerts = question.Nodes("certificate"),
            IssuanceLicense = license,
        });
        foreach (var found in service.AcquireLicense(items.ToArray()))
        {
            answer.Add("item", "");
            answer.Add("certificate", found.CertificateChain);
        }
        answer.Add("version", service.VersionDataValue.MaximumVersion);
    }

    static void AcquirePreLicense(Services services, Message question, Message answer)
    {
        var service = services.Licensing(question);
        var item = new Licensing.AcquirePreLicenseParams
        {
            LicenseeIdentities = question.All("identity").ToArray(),
            IssuanceLicense = question.Nodes("license"),
        };
        var found = service.AcquirePreLicense(new[] { item }).Single();
        answer.Add("license", found.Licenses);
        answer.Add("certificate", found.CertificateChain);
        answer.Add("version", service.VersionDataValue.MaximumVersion);
    }
}

// The generated proxies, each at its address, as one person, with the version header that a question asks for.
sealed class Services
{
    readonly string baseUrl;
    readonly CredentialCache credentials = new CredentialCache();

    public Services(string baseUrl, string scheme)
    {
        this.baseUrl = baseUrl;
        var person = new NetworkCredential(Setting("RMS_LOGIN"), Setting("RMS_PASSWORD"));
        credentials.Add(new Uri(baseUrl), scheme, person);
    }

    public Server.Server Server(Message question)
    {
        var version = question.One("version");
        var header = new Server.VersionData { MinimumVersion = version, MaximumVersion = version };
        return At("certification/server.asmx", new Server.Server { VersionDataValue = header });
    }

    public Certification.CertificationWebService Certification(Message question)
    {
        var version = question.One("version");
        var header = new Certification.VersionData { MinimumVersion = version, MaximumVersion = version };
        var service = new Certification.CertificationWebService { VersionDataValue = header };
        return At("certification/certification.asmx", service);
    }

    public Publishing.Publish Publishing(Message question)
    {
        var version = question.One("version");
        var header = new Publishing.VersionData { MinimumVersion = version, MaximumVersion = version };
        return At("licensing/publish.asmx", new Publishing.Publish { VersionDataValue = header });
    }

    public Templates.TemplateDistributionWebService Templates(Message question)
    {
        var version = question.One("version");
        var header = new Templates.VersionData { MinimumVersion = version, MaximumVersion = version };
        var service = new Templates.TemplateDistributionWebService { VersionDataValue = header };
        return At("licensing/templatedistribution.asmx", service);
    }

    public Licensing.License Licensing(Message question)
    {
        var version = question.One("version");
        var header = new Licensing.VersionData { MinimumVersion = version, MaximumVersion = version };
        return At("licensing/license.asmx", new Licensing.License { VersionDataValue = header });
    }

    T At<T>(string path, T service) where T : SoapHttpClientProtocol
    {
        service.Url = baseUrl + "/" + path;
        service.Credentials = credentials;
        service.EnableDecompression = true;  // As genuine clients ask for it.
        return service;
    }

    static string Setting(string name)
    {
        return Environment.GetEnvironmentVariable(name) ?? "";
    }
}

// Names and values in order: lines `name base64`, and an empty line behind the last.
sealed class Message : System.Collections.IEnumerable
{
    readonly List<KeyValuePair<string, string>> lines = new List<KeyValuePair<string, string>>();

    public static Message Read()
    {
        var message = new Message();
        for (var line = Console.In.ReadLine(); line != null; line = Console.In.ReadLine())
        {
            if (line == "") return message;
            var words = line.Split(' ');
            message.Add(words[0], Encoding.UTF8.GetString(Convert.FromBase64String(words[1])));
        }
        return null;
    }

    public void Write()
    {
        foreach (var line in lines)
        {
            Console.Out.WriteLine(line.Key + " " + Convert.ToBase64String(Encoding.UTF8.GetBytes(line.Value)));
        }
        Console.Out.WriteLine();
        Console.Out.Flush();
    }

    public void Add(string name, string value)
    {
        lines.Add(new KeyValuePair<string, string>(name, value));
    }

    public void Add(string name, IEnumerable<XmlNode> nodes)
    {
        foreach (var node in nodes) Add(name, node.OuterXml);
    }

    public IEnumerable<string> All(string name)
    {
        return lines.Where(line => line.Key == name).Select(line => line.Value);
    }

    public string One(string name)
    {
        return All(name).Single();
    }

    // Documents as genuine clients have them: a DOM, whose text is what travels.
    public XmlNode[] Nodes(string name)
    {
        return All(name).Select(Node).ToArray();
    }

    // The same in groups: a line `item` begins each.
    public IEnumerable<XmlNode[]> Items(string name)
    {
        var starts = Enumerable.Range(0, lines.Count).Where(at => lines[at].Key == "item");
        return starts.Select(start => lines
            .Skip(start + 1)
            .TakeWhile(line => line.Key != "item")
            .Where(line => line.Key == name)
            .Select(line => Node(line.Value))
            .ToArray());
    }

    static XmlNode Node(string text)
    {
        // Without this a line feed between tags is lost, and with it the signature.
        var document = new XmlDocument { PreserveWhitespace = true };
        document.LoadXml(text);
        return document.DocumentElement;
    }

    System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator()
    {
        return lines.GetEnumerator();
    }
}
