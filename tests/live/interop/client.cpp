// A client on the stubs that gSOAP's wsdl2h and soapcpp2 generate from our descriptions: a parser, a serialiser and an HTTP
// client of its own, and answers validated against the schema. conversation.py says what is read from standard input and
// written to standard output.
//
//     client BASE-URL     RMS_LOGIN and RMS_PASSWORD say who. The version of SOAP is that of the generated code.

#include <cstdlib>
#include <iostream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "soapH.h"
#include "LicenseSoap.nsmap"  // All five services' namespaces: the tools made one set of stubs.

using Texts = std::vector<std::string>;

// Names and values in order.
class Message {
  public:
    // False at the end of the input.
    bool read(struct soap *soap)
    {
        lines.clear();
        for (std::string line; std::getline(std::cin, line);) {
            if (line.empty()) return true;
            auto space = line.find(' ');
            int size = 0;
            const char *value = soap_base642s(soap, line.c_str() + space + 1, nullptr, 0, &size);
            lines.emplace_back(line.substr(0, space), std::string(value, static_cast<size_t>(size)));
        }
        return false;
    }

    void write(struct soap *soap) const
    {
        for (const auto &line : lines) {
            auto octets = reinterpret_cast<const unsigned char *>(line.second.data());
            std::cout << line.first << ' ';
            if (!line.second.empty())
                std::cout << soap_s2base64(soap, octets, nullptr, static_cast<int>(line.second.size()));
            std::cout << '\n';
        }
        std::cout << std::endl;
    }

    void add(const std::string &name, const std::string &value) { lines.emplace_back(name, value); }

    void add(const std::string &name, const std::string *value) { add(name, value ? *value : ""); }

    // The documents of an ArrayOfXmlNode.
    template <class Nodes> void add_nodes(const std::string &name, const Nodes *nodes)
    {
        for (const auto &node : nodes->Certificate) add(name, node.__any);
    }

    Texts all(const std::string &name) const
    {
        Texts found;
        for (const auto &line : lines)
            if (line.first == name) found.push_back(line.second);
        return found;
    }

    std::string one(const std::string &name) const { return all(name).at(0); }

    // The values of a name in groups: a line `item` begins each.
    std::vector<Texts> items(const std::string &name) const
    {
        std::vector<Texts> found;
        for (const auto &line : lines) {
            if (line.first == "item") found.emplace_back();
            else if (line.first == name) found.back().push_back(line.second);
        }
        return found;
    }

  private:
    std::vector<std::pair<std::string, std::string>> lines;
};

// One person's calls: one context of gSOAP, which owns what it allocates until the next question.
class Client {
  public:
    explicit Client(std::string url) : base_url(std::move(url)), version(), soap(soap_new1(MODE)) {}

    ~Client()
    {
        forget();
        soap_free(soap);
    }

    void converse()
    {
        for (Message question; question.read(soap); forget()) {
            Message answer;
            version = question.one("version");
            // gSOAP forgets who signs on after each call.
            soap->userid = std::getenv("RMS_LOGIN");
            soap->passwd = std::getenv("RMS_PASSWORD");
            if (ask(question, answer) != SOAP_OK) answer = fault();
            answer.write(soap);
        }
    }

  private:
    // Strict: an answer that is not as the description says is an error.
    static const soap_mode MODE = SOAP_C_UTFSTRING | SOAP_XML_STRICT;

    int ask(const Message &question, Message &answer)
    {
        const std::string operation = question.one("operation");
        if (operation == "GetServerInfo") return get_server_info(question, answer);
        if (operation == "FindServiceLocationsForUser") return find_service_locations_for_user(question, answer);
        if (operation == "GetLicensorCertificate") return get_licensor_certificate(answer);
        if (operation == "Certify") return certify(question, answer);
        if (operation == "GetClientLicensorCert") return get_client_licensor_cert(question, answer);
        if (operation == "AcquireIssuanceLicense") return acquire_issuance_license(question, answer);
        if (operation == "AcquireTemplateInformation") return acquire_template_information(answer);
        if (operation == "AcquireTemplates") return acquire_templates(question, answer);
        if (operation == "AcquireLicense") return acquire_license(question, answer);
        if (operation == "AcquirePreLicense") return acquire_pre_license(question, answer);
        throw std::invalid_argument("no such operation: " + operation);
    }

    // gSOAP's native error: a code, and the fault behind it. Anything else is no answer of the server's.
    Message fault()
    {
        if (!soap->fault || (soap->error != SOAP_FAULT && soap->error != SOAP_SVR_FAULT)) {
            soap_print_fault(soap, stderr);
            throw std::runtime_error("the call failed");
        }
        Message answer;
        answer.add("code", *soap_faultcode(soap));
        answer.add("fault", soap_fault_string(soap));
        return answer;
    }

    int get_server_info(const Message &question, Message &answer)
    {
        server__ArrayOfServerInfoRequest requests;
        for (const auto &name : question.all("type")) {
            auto request = soap_new_server__ServerInfoRequest(soap);
            soap_s2server__ServerInfoType(soap, name.c_str(), &request->Type);
            requests.ServerInfoRequest.push_back(request);
        }
        _server__GetServerInfo parameters;
        parameters.requests = &requests;
        _server__GetServerInfoResponse found;
        soap->header = nullptr;
        const std::string url = base_url + "/certification/server.asmx";
        int error = soap_call___server__GetServerInfo(soap, url.c_str(), nullptr, &parameters, found);
        if (error == SOAP_OK) answer.add("information", found.GetServerInfoResult->__any);
        return error;
    }

    int find_service_locations_for_user(const Message &question, Message &answer)
    {
        server__ArrayOfServiceLocationRequest requests;
        for (const auto &name : question.all("type")) {
            auto request = soap_new_server__ServiceLocationRequest(soap);
            soap_s2server__ServiceType(soap, name.c_str(), &request->Type);
            requests.ServiceLocationRequest.push_back(request);
        }
        _server__FindServiceLocationsForUser parameters;
        parameters.ServiceNames = &requests;
        _server__FindServiceLocationsForUserResponse found;
        const std::string url = at("/certification/server.asmx", &SOAP_ENV__Header::server__VersionData_);
        int error = soap_call___server__FindServiceLocationsForUser(soap, url.c_str(), nullptr, &parameters, found);
        if (error != SOAP_OK) return error;
        for (auto location : found.FindServiceLocationsForUserResult->ServiceLocationResponse) {
            answer.add("type", soap_server__ServiceType2s(soap, location->Type));
            answer.add("url", location->URL);
        }
        return tell_version(answer, &SOAP_ENV__Header::server__VersionData_);
    }

    int get_licensor_certificate(Message &answer)
    {
        _server__GetLicensorCertificate parameters;
        _server__GetLicensorCertificateResponse found;
        const std::string url = at("/certification/server.asmx", &SOAP_ENV__Header::server__VersionData_);
        int error = soap_call___server__GetLicensorCertificate(soap, url.c_str(), nullptr, &parameters, found);
        if (error != SOAP_OK) return error;
        answer.add_nodes("certificate", found.GetLicensorCertificateResult->CertificateChain);
        return tell_version(answer, &SOAP_ENV__Header::server__VersionData_);
    }

    int certify(const Message &question, Message &answer)
    {
        certification__CertifyParams request;
        request.MachineCertificateChain = nodes<certification__ArrayOfXmlNode>(question.all("certificate"));
        request.Persistent = true;
        _certification__Certify parameters;
        parameters.requestParams = &request;
        _certification__CertifyResponse found;
        const std::string url =
            at("/certification/certification.asmx", &SOAP_ENV__Header::certification__VersionData_);
        int error = soap_call___certification__Certify(soap, url.c_str(), nullptr, &parameters, found);
        if (error != SOAP_OK) return error;
        answer.add_nodes("certificate", found.CertifyResult->CertificateChain);
        answer.add("quota", std::to_string(found.CertifyResult->Quota->Maximum));
        return tell_version(answer, &SOAP_ENV__Header::certification__VersionData_);
    }

    int get_client_licensor_cert(const Message &question, Message &answer)
    {
        publishing__GetClientLicensorCertParams item;
        item.PersonaCerts = nodes<publishing__ArrayOfXmlNode>(question.all("certificate"));
        publishing__ArrayOfGetClientLicensorCertParams items;
        items.GetClientLicensorCertParams.push_back(&item);
        _publishing__GetClientLicensorCert parameters;
        parameters.RequestParams = &items;
        _publishing__GetClientLicensorCertResponse found;
        const std::string url = at("/licensing/publish.asmx", &SOAP_ENV__Header::publishing__VersionData_);
        int error = soap_call___publishing__GetClientLicensorCert(soap, url.c_str(), nullptr, &parameters, found);
        if (error != SOAP_OK) return error;
        const auto &responses = found.GetClientLicensorCertResult->GetClientLicensorCertResponse;
        answer.add_nodes("certificate", responses.at(0)->CertificateChain);
        return tell_version(answer, &SOAP_ENV__Header::publishing__VersionData_);
    }

    int acquire_issuance_license(const Message &question, Message &answer)
    {
        _publishing__AcquireIssuanceLicenseParams_UnsignedIssuanceLicense license;
        license.__any = text(question.one("license"));
        publishing__AcquireIssuanceLicenseParams item;
        item.UnsignedIssuanceLicense = &license;
        publishing__ArrayOfAcquireIssuanceLicenseParams items;
        items.AcquireIssuanceLicenseParams.push_back(&item);
        _publishing__AcquireIssuanceLicense parameters;
        parameters.RequestParams = &items;
        _publishing__AcquireIssuanceLicenseResponse found;
        const std::string url = at("/licensing/publish.asmx", &SOAP_ENV__Header::publishing__VersionData_);
        int error = soap_call___publishing__AcquireIssuanceLicense(soap, url.c_str(), nullptr, &parameters, found);
        if (error != SOAP_OK) return error;
        const auto &responses = found.AcquireIssuanceLicenseResult->AcquireIssuanceLicenseResponse;
        answer.add_nodes("certificate", responses.at(0)->CertificateChain);
        return tell_version(answer, &SOAP_ENV__Header::publishing__VersionData_);
    }

    int acquire_template_information(Message &answer)
    {
        _templates__AcquireTemplateInformation parameters;
        _templates__AcquireTemplateInformationResponse found;
        const std::string url = at("/licensing/templatedistribution.asmx", &SOAP_ENV__Header::templates__VersionData_);
        int error = soap_call___templates__AcquireTemplateInformation(soap, url.c_str(), nullptr, &parameters, found);
        if (error != SOAP_OK) return error;
        answer.add("key", found.AcquireTemplateInformationResult->ServerPublicKey);
        for (auto entry : found.AcquireTemplateInformationResult->GuidHash) {
            answer.add("guid", entry->Guid);
            answer.add("hash", entry->Hash);
        }
        return tell_version(answer, &SOAP_ENV__Header::templates__VersionData_);
    }

    int acquire_templates(const Message &question, Message &answer)
    {
        templates__ArrayOfString guids;
        guids.string = question.all("guid");
        _templates__AcquireTemplates parameters;
        parameters.guids = &guids;
        _templates__AcquireTemplatesResponse found;
        const std::string url = at("/licensing/templatedistribution.asmx", &SOAP_ENV__Header::templates__VersionData_);
        int error = soap_call___templates__AcquireTemplates(soap, url.c_str(), nullptr, &parameters, found);
        if (error != SOAP_OK) return error;
        for (auto entry : found.AcquireTemplatesResult->GuidTemplate) {
            answer.add("guid", entry->Guid);
            answer.add("template", entry->Template);
        }
        return tell_version(answer, &SOAP_ENV__Header::templates__VersionData_);
    }

    // A question has one account certificate for all its publishing licences.
    int acquire_license(const Message &question, Message &answer)
    {
        licensing__ArrayOfAcquireLicenseParams items;
        for (const auto &license : question.items("license")) {
            auto item = soap_new_licensing__AcquireLicenseParams(soap);
            item->LicenseeCerts = nodes<licensing__ArrayOfXmlNode>(question.all("certificate"));
            item->IssuanceLicense = nodes<licensing__ArrayOfXmlNode>(license);
            items.AcquireLicenseParams.push_back(item);
        }
        _licensing__AcquireLicense parameters;
        parameters.RequestParams = &items;
        _licensing__AcquireLicenseResponse found;
        const std::string url = at("/licensing/license.asmx", &SOAP_ENV__Header::licensing__VersionData_);
        int error = soap_call___licensing__AcquireLicense(soap, url.c_str(), nullptr, &parameters, found);
        if (error != SOAP_OK) return error;
        for (auto response : found.AcquireLicenseResult->AcquireLicenseResponse) {
            answer.add("item", "");
            answer.add_nodes("certificate", response->CertificateChain);
        }
        return tell_version(answer, &SOAP_ENV__Header::licensing__VersionData_);
    }

    int acquire_pre_license(const Message &question, Message &answer)
    {
        licensing__ArrayOfString identities;
        identities.string = question.all("identity");
        licensing__AcquirePreLicenseParams item;
        item.LicenseeIdentities = &identities;
        item.IssuanceLicense = nodes<licensing__ArrayOfXmlNode>(question.all("license"));
        licensing__ArrayOfAcquirePreLicenseParams items;
        items.AcquirePreLicenseParams.push_back(&item);
        _licensing__AcquirePreLicense parameters;
        parameters.RequestParams = &items;
        _licensing__AcquirePreLicenseResponse found;
        const std::string url = at("/licensing/license.asmx", &SOAP_ENV__Header::licensing__VersionData_);
        int error = soap_call___licensing__AcquirePreLicense(soap, url.c_str(), nullptr, &parameters, found);
        if (error != SOAP_OK) return error;
        auto response = found.AcquirePreLicenseResult->AcquirePreLicenseResponse.at(0);
        answer.add_nodes("license", response->Licenses);
        answer.add_nodes("certificate", response->CertificateChain);
        return tell_version(answer, &SOAP_ENV__Header::licensing__VersionData_);
    }

    // Sets the version header of a service, whose address below the base URL this completes.
    template <class VersionData> std::string at(const char *path, VersionData *SOAP_ENV__Header::*part)
    {
        auto data = static_cast<VersionData *>(soap_instantiate(soap, VersionData().soap_type(), nullptr, nullptr, nullptr));
        data->MinimumVersion = data->MaximumVersion = &version;
        soap->header = soap_new_SOAP_ENV__Header(soap);
        soap->header->*part = data;
        return base_url + path;
    }

    // The version header of the answer.
    template <class VersionData> int tell_version(Message &answer, VersionData *SOAP_ENV__Header::*part)
    {
        answer.add("version", (soap->header->*part)->MaximumVersion);
        return SOAP_OK;
    }

    // An ArrayOfXmlNode of one of the services.
    template <class Nodes> Nodes *nodes(const Texts &texts)
    {
        auto made = static_cast<Nodes *>(soap_instantiate(soap, Nodes().soap_type(), nullptr, nullptr, nullptr));
        for (const auto &found : texts) {
            made->Certificate.emplace_back();
            made->Certificate.back().__any = text(found);
        }
        return made;
    }

    // A document's text, which gSOAP sends as it stands.
    char *text(const std::string &found) { return soap_strdup(soap, found.c_str()); }

    void forget()
    {
        soap_destroy(soap);
        soap_end(soap);
    }

    const std::string base_url;
    std::string version;
    struct soap *const soap;
};

int main(int, char **arguments)
{
    Client(arguments[1]).converse();
}
